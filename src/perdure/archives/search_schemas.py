"""Searches of passages and what they find, as clients and agents see them."""

from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from perdure.db.search import Mode
from perdure.kit.clock import Moment
from perdure.passages.schemas import Passage, wire_passage
from perdure.passages.search import Found
from perdure.passages.store import PassageFilter


class PassageSearchRequest(BaseModel):
    """What to look for, in an agent's archives, in one, or in all."""

    query: str | None = Field(None, description="Without it the passages are listed, the oldest first.")
    agent_id: str | None = None
    archive_id: str | None = None
    tags: list[str] | None = None
    tag_match_mode: Literal["any", "all"] = "any"
    search_mode: Mode = Field("hybrid", description="By words and meaning, or by one of them.")
    limit: int = Field(50, ge=1, le=100)
    start_date: Moment | None = Field(None, description="Nothing before; UTC unless it says otherwise.")
    end_date: Moment | None = Field(None, description="Nothing after; UTC unless it says otherwise.")

    def filter(self) -> PassageFilter:
        """What a passage must be to be found."""
        return PassageFilter(
            tags=self.tags or (),
            match_all_tags=self.tag_match_mode == "all",
            start=self.start_date,
            end=self.end_date,
        )


class Relevance(BaseModel):
    """How well something fits: its joined score, and its place by meaning and by words."""

    rrf_score: float
    vector_rank: int | None
    fts_rank: int | None


class PassageSearchResult(BaseModel):
    """A passage that was found."""

    passage: Passage
    score: float = Field(description="Greater is better; 0 where nothing was asked.")
    metadata: dict[str, Any]


class MemoryFound(BaseModel):
    """Something an agent remembers."""

    id: str
    timestamp: str = Field(description="In the agent's time zone.")
    content: str
    tags: list[str]
    relevance: Relevance | None = None


class MemoriesFound(BaseModel):
    """What a search of an agent's memory found."""

    results: list[MemoryFound]
    count: int


def relevance(found: Found) -> Relevance | None:
    """How well it fits."""
    hit = found.hit
    if hit is None:
        return None
    return Relevance(rrf_score=hit.score, vector_rank=hit.vector_rank, fts_rank=hit.lexical_rank)


def result(found: Found) -> PassageSearchResult:
    """What was found, for clients."""
    fits = relevance(found)
    return PassageSearchResult(
        passage=wire_passage(found.passage),
        score=fits.rrf_score if fits else 0.0,
        metadata=fits.model_dump() if fits else {},
    )


def memory(found: Found, timezone: str) -> MemoryFound:
    """What was found, for an agent of this time zone."""
    at = found.passage.created_at.astimezone(ZoneInfo(timezone))
    return MemoryFound(
        id=found.passage.id,
        timestamp=at.isoformat(timespec="seconds"),
        content=found.passage.text,
        tags=list(found.passage.tags),
        relevance=relevance(found),
    )
