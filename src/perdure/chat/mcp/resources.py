"""What a client can read at `/mcp`: agents and their memory blocks, by address."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

import orjson

from perdure.agents.blocks import block_labelled
from perdure.agents.filters import AgentFilters, list_agents
from perdure.agents.parts import AgentParts, parts_of
from perdure.chat.mcp.tools import Visitor, described
from perdure.kit.errors import NotFound
from perdure.kit.paging import Page

AGENT = "perdure://agents/{agent_id}"
BLOCK = "perdure://agents/{agent_id}/blocks/{label}"
ADDRESS = re.compile(r"perdure://agents/([^/]+)(?:/blocks/([^/]+))?")
SHOWN = ("agent.blocks", "agent.tags")
PAGE = 50


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
    """No agent and no block has this address."""


async def list_resources(visitor: Visitor, cursor: str | None) -> tuple[list[Listed], str | None]:
    """A page of agents, each with its blocks, and the cursor of the next page."""
    page = Page(after=cursor, limit=PAGE)
    found: list[AgentParts] = await visitor.read(list_agents, AgentFilters(), page, SHOWN)
    listed = [each for parts in found for each in _of_agent(parts)]
    return listed, found[-1].agent.id if len(found) == PAGE else None


async def read_resource(visitor: Visitor, uri: str) -> Content:
    """What an address holds; raises `NotFound` where it holds nothing of the caller's."""
    match = ADDRESS.fullmatch(uri)
    if not match:
        raise NoSuchResource(f"uri: {uri} is neither {AGENT} nor {BLOCK}.")
    agent_id, label = match.groups()
    if label:
        block = await visitor.read(block_labelled, agent_id, unquote(label))
        return Content("text/plain", block.value)
    parts: AgentParts = await visitor.read(parts_of, agent_id, SHOWN)
    blocks = {block.label: block.value for block in parts.blocks}
    return Content("application/json", orjson.dumps({**described(parts), "blocks": blocks}).decode())


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
