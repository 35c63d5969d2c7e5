"""What a client can read at `/mcp`: agents, their memory blocks, and archives, by address."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

import orjson

from perdure.agents.blocks import block_labelled
from perdure.agents.filters import AgentFilters, list_agents
from perdure.agents.parts import AgentParts, parts_of
from perdure.archives import store as archives
from perdure.archives.contents import list_passages
from perdure.archives.store import ArchiveFilter, ArchiveRow
from perdure.chat.mcp.tools import Visitor, described
from perdure.kit.errors import NotFound
from perdure.kit.paging import Page
from perdure.passages.store import PassageFilter

AGENT = "perdure://agents/{agent_id}"
BLOCK = "perdure://agents/{agent_id}/blocks/{label}"
ARCHIVE = "perdure://archives/{archive_id}"
ADDRESS = re.compile(r"perdure://(?:agents/([^/]+)(?:/blocks/([^/]+))?|archives/([^/]+))")
SHOWN = ("agent.blocks", "agent.tags")
PAGE = 50
LATEST = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource that can be read."""

    uri: str
    name: str
    description: str | None
    mime_type: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a resource holds now."""

    mime_type: str
    text: str


class NoSuchResource(NotFound):
    """No agent, block or archive has this address."""


async def list_resources(visitor: Visitor, cursor: str | None) -> tuple[list[Listed], str | None]:
    """A page of agents, each with its blocks, or of archives, which follow; and the next page's cursor."""
    listed: list[Listed] = []
    if not (cursor or "").startswith("archive-"):
        page = Page(after=cursor, limit=PAGE)
        found: list[AgentParts] = await visitor.read(list_agents, AgentFilters(), page, SHOWN)
        listed = [each for parts in found for each in _of_agent(parts)]
        if len(found) == PAGE:
            return listed, found[-1].agent.id
        cursor = None
    rows: list[ArchiveRow] = await visitor.read(
        archives.list_, Page(after=cursor, limit=PAGE), ArchiveFilter()
    )
    listed += [
        Listed(ARCHIVE.format(archive_id=row.id), row.name, row.description, "application/json")
        for row in rows
    ]
    return listed, rows[-1].id if len(rows) == PAGE else None


async def read_resource(visitor: Visitor, uri: str) -> Content:
    """What an address holds; raises `NotFound` where it holds nothing of the caller's."""
    match = ADDRESS.fullmatch(uri)
    if not match:
        raise NoSuchResource(f"uri: {uri} is neither {AGENT} nor {BLOCK} nor {ARCHIVE}.")
    agent_id, label, archive_id = match.groups()
    if archive_id:
        return await _archive(visitor, archive_id)
    if label:
        block = await visitor.read(block_labelled, agent_id, unquote(label))
        return Content("text/plain", block.value)
    parts: AgentParts = await visitor.read(parts_of, agent_id, SHOWN)
    blocks = {block.label: block.value for block in parts.blocks}
    return Content("application/json", orjson.dumps({**described(parts), "blocks": blocks}).decode())


async def _archive(visitor: Visitor, archive_id: str) -> Content:
    """An archive and the latest of its passages."""
    archive: ArchiveRow = await visitor.read(archives.get, archive_id)
    rows = await visitor.read(list_passages, archive_id, Page(limit=LATEST), PassageFilter())
    kept = ("id", "text", "tags", "metadata", "created_at")
    told = {
        "id": archive.id,
        "name": archive.name,
        "description": archive.description,
        "latest_passages": [{name: getattr(row, name) for name in kept} for row in rows],
    }
    return Content("application/json", orjson.dumps(told).decode())


def _of_agent(parts: AgentParts) -> list[Listed]:
    agent = parts.agent
    uri = AGENT.format(agent_id=agent.id)
    blocks = [
        Listed(
            BLOCK.format(agent_id=agent.id, label=quote(block.label, safe="")),
            f"{agent.name}: {block.label}",
            block.description,
            "text/plain",
        )
        for block in parts.blocks
    ]
    return [Listed(uri, agent.name, agent.description, "application/json"), *blocks]
