"""Built-in tools over the web."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from perdure.documents.read import Document, Documents, Unreadable
from perdure.kit.outbound import Fetched, Fetcher, shown
from perdure.tools.base import ToolContext, ToolFailed, tool
from perdure.web.choice import NONE, choose
from perdure.web.search import Category, Search, search
from perdure.web.settings import SearchSettings

ACCEPT = "text/html,application/xhtml+xml,text/plain;q=0.9,application/pdf;q=0.8,*/*;q=0.5"
MOST_RESULTS = 100


@dataclass(frozen=True, slots=True)
class Web:
    """The way to it, and the engine that searches it."""

    fetcher: Fetcher
    search: SearchSettings
    environment: Mapping[str, str]
    documents: Documents = field(default_factory=Documents)


@tool("letta_builtin", parallel=True, repeatable=True)
async def web_search(
    web: Web,
    ctx: ToolContext,
    query: str,
    num_results: int = 10,
    category: Category | None = None,
    include_text: bool = False,
    include_domains: list[str] | None = None,
    exclude_domains: list[str] | None = None,
    start_published_date: str | None = None,
    end_published_date: str | None = None,
    user_location: str | None = None,
) -> dict[str, Any]:
    """Search the web. Read the pages that look right with `fetch_webpage`.

    Args:
        query: What to look for.
        num_results: How many results at the most, up to 100.
        category: Only results of this kind.
        include_text: Bring the text of the pages, too; it is long.
        include_domains: Only results from these domains, such as ["arxiv.org"].
        exclude_domains: No results from these domains.
        start_published_date: Only what was published on this day or later, such as 2026-03-31.
        end_published_date: Only what was published on this day or before.
        user_location: The country to search from, as two letters such as NO.
    """
    if not query.strip():
        raise ToolFailed("query: say what to look for.")
    asked = Search(
        query=query,
        count=min(max(num_results, 1), MOST_RESULTS),
        category=category,
        text=include_text,
        only=tuple(include_domains or ()),
        without=tuple(exclude_domains or ()),
        start=_day("start_published_date", start_published_date),
        end=_day("end_published_date", end_published_date),
        country=_country(user_location),
    )
    secrets = await ctx.facts.secrets(ctx.actor, ctx.agent_id)
    chosen = choose(web.search, web.environment, secrets)
    if chosen is None:
        raise ToolFailed(NONE)
    return await search(chosen.engine, web.fetcher.trusting() if chosen.trusted else web.fetcher, asked)


@tool("letta_builtin", parallel=True, repeatable=True)
async def fetch_webpage(web: Web, ctx: ToolContext, url: str) -> str:  # noqa: ARG001 - every tool has it
    """Read a web page, or another text on the web, as markdown. PDFs are read, too.

    Args:
        url: Its address, beginning with https:// or http://.
    """
    answer = await web.fetcher.get(url, {"accept": ACCEPT})
    if not answer.ok:
        raise ToolFailed(f"{shown(answer.url)} answered HTTP {answer.status}.")
    try:
        read = await web.documents.read(answer.content, answer.content_type, answer.charset, answer.url)
    except Unreadable as error:
        raise ToolFailed(f"{shown(answer.url)}: {error.detail}") from error
    if not read.text.strip():
        raise ToolFailed(
            f"{shown(answer.url)} has no text to read; it may be made by a program in a browser."
        )
    return as_text(read, answer)


def as_text(read: Document, answer: Fetched) -> str:
    """A page as the model reads it: what it tells of itself, then its text."""
    told = {"Title": read.title, "Author": read.author, "Published": read.published, "URL": answer.url}
    head = "\n".join(f"{name}: {value}" for name, value in told.items() if value)
    return f"{head}\n\n{read.text}"


def _day(name: str, value: str | None) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError as error:
        raise ToolFailed(f"{name}: `{value}` is no day such as 2026-03-31.") from error


def _country(value: str | None) -> str | None:
    if not value:
        return None
    if len(value) != 2 or not value.isascii() or not value.isalpha():
        raise ToolFailed(f"user_location: `{value}` is no country of two letters, such as NO.")
    return value.upper()


TOOLS = (web_search, fetch_webpage)
