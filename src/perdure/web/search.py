"""A search of the web, in nobody's format: what is asked, what an engine is, how it fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Protocol

import orjson

from perdure.kit.outbound import Fetched, Fetcher, FetchFailed
from perdure.tools.base import ToolFailed

Category = Literal[
    "company",
    "research paper",
    "news",
    "pdf",
    "github",
    "tweet",
    "personal site",
    "linkedin profile",
    "financial report",
]
MOST_SAID = 300


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for. Dates are days, both included; `country` has two letters."""

    query: str
    count: int = 10
    category: Category | None = None
    text: bool = False
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request to an engine; with a body it is a POST."""

    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None = None


class Engine(Protocol):
    """A search engine's wire format: pure. `ignored` are the arguments of a search it cannot heed.

    `refusal` says what it means by 401 and 403.
    """

    @property
    def name(self) -> str: ...

    @property
    def refusal(self) -> str: ...

    def request(self, search: Search) -> Request: ...

    def results(self, answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]: ...

    def ignored(self, search: Search) -> Sequence[str]: ...


async def search(engine: Engine, fetcher: Fetcher, asked: Search) -> dict[str, Any]:
    """`{query, engine, results}`, and `ignored` where the engine cannot heed something; else `ToolFailed`."""
    request = engine.request(asked)
    try:
        if request.body is None:
            answer = await fetcher.get(request.url, request.headers)
        else:
            headers = {"content-type": "application/json", **request.headers}
            answer = await fetcher.post(request.url, orjson.dumps(request.body), headers)
    except FetchFailed as error:
        raise ToolFailed(f"{engine.name} cannot be reached: {error.detail}") from error
    if not answer.ok:
        raise ToolFailed(refusal_of(engine, answer))
    results = [_kept(each) for each in found_in(engine, answer)][: asked.count]
    ignored = list(engine.ignored(asked))
    told = {"query": asked.query, "engine": engine.name.lower(), "results": results}
    return {**told, "ignored": ignored} if ignored else told


def found_in(engine: Engine, answer: Fetched) -> Sequence[Mapping[str, Any]]:
    """The results in an answer; `ToolFailed` where it is not what the engine answers."""
    try:
        return engine.results(orjson.loads(answer.content))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        kind = answer.content_type or "of no type"
        raise ToolFailed(f"{engine.name} answered something that is no list of results ({kind}).") from error


def refusal_of(engine: Engine, answer: Fetched) -> str:
    """What an engine's refusal means. Its own words may be shown: they name no key."""
    match answer.status:
        case 401 | 403:
            return f"{engine.name} {engine.refusal} (HTTP {answer.status})."
        case 402 | 432 | 433:
            return f"{engine.name}: the plan's limit is used up (HTTP {answer.status})."
        case 429:
            return f"{engine.name} has had too many requests; try again later."
        case status if status >= 500:
            return f"{engine.name} failed (HTTP {status}); try again later."
        case status:
            said = " ".join(answer.content[:2000].decode(errors="replace").split())[:MOST_SAID]
            return f"{engine.name} refused the search (HTTP {status}): {said}"


def _kept(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result without what its engine did not tell."""
    return {name: value for name, value in result.items() if value not in (None, "", [])}
