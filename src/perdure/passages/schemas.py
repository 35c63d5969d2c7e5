"""Passages on the wire."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from perdure.kit.clock import WIRE_TIME, Moment
from perdure.passages.store import NewPassage, PassageRow

Time = Annotated[datetime, WIRE_TIME]


def _or_no_tags(value: Any) -> Any:
    return [] if value is None else value


def _or_nothing(value: Any) -> Any:
    return {} if value is None else value


Tags = Annotated[list[str], BeforeValidator(_or_no_tags)]
Metadata = Annotated[dict[str, Any], BeforeValidator(_or_nothing)]


class Origin(BaseModel):
    """The agent that wrote a passage, and where in its history it did."""

    agent_id: str
    run_id: str | None
    step_id: str | None
    message_id: str | None


class Passage(BaseModel):
    """A passage as clients see it."""

    id: str
    text: str
    tags: list[str] | None
    metadata: dict[str, Any]
    archive_id: str | None
    source_id: str | None
    file_id: str | None
    file_name: str | None = None
    embedding: list[float] | None = Field(None, description="Its vector, where a request asks for it.")
    embedding_config: None = None
    is_deleted: bool = False
    provenance: Origin | None = Field(None, description="Where an agent wrote it; null if none did.")
    created_at: Time
    updated_at: Time
    created_by_id: str | None
    last_updated_by_id: str | None


class CreatePassage(BaseModel):
    """A passage to store."""

    text: str
    tags: Tags = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict)
    created_at: Moment | None = Field(None, description="When it happened; now if nobody says. UTC.")

    def new(self) -> NewPassage:
        """What the store takes."""
        return NewPassage(self.text, self.tags, self.metadata, self.created_at)


def wire_passage(row: PassageRow, embedding: list[float] | None = None) -> Passage:
    """A stored passage as clients see it."""
    origin = None
    if row.agent_id:
        origin = Origin(
            agent_id=row.agent_id, run_id=row.run_id, step_id=row.step_id, message_id=row.message_id
        )
    return Passage(
        id=row.id,
        text=row.text,
        tags=list(row.tags),
        metadata=dict(row.metadata),
        archive_id=row.archive_id,
        source_id=row.source_id,
        file_id=row.file_id,
        embedding=embedding,
        provenance=origin,
        created_at=row.created_at,
        updated_at=row.updated_at,
        created_by_id=row.created_by_id,
        last_updated_by_id=row.last_updated_by_id,
    )
