"""What a client can do at `/mcp`. Each function is a tool; a model is told its docstring and hints."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from perdure.agents import store
from perdure.agents.conversations.place import find
from perdure.agents.filters import AgentFilters
from perdure.agents.filters import list_agents as agents_page
from perdure.agents.named import find_agent
from perdure.agents.parts import AgentParts
from perdure.archives.archives import Archives
from perdure.archives.search_schemas import memory
from perdure.chat.requests import Delivery
from perdure.chat.schemas import SendMessage, StopReason
from perdure.chat.send import Sender
from perdure.chat.stream import final
from perdure.chat.words import words_of
from perdure.kit.errors import NotFound
from perdure.kit.paging import Page
from perdure.memory.store import BlockRow
from perdure.messages.search import Search, search
from perdure.messages.spoken import searchable
from perdure.messages.store import MessageRow
from perdure.passages.store import NewPassage, PassageFilter
from perdure.tenancy.actor import Actor

MOST = 100
SPOKEN = ("user", "assistant")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who calls, and what answers."""

    actor: Actor
    sender: Sender
    archives: Archives

    async def read(self, work: Callable[..., Any], *args: Any) -> Any:
        """A unit of work in the caller's name."""
        return await self.sender.env.db.read(work, self.actor, *args)


McpTool = Callable[..., Awaitable[dict[str, Any]]]


async def list_agents(visitor: Visitor, query: str | None = None, limit: int = 20) -> dict[str, Any]:
    """List the agents of this server, the newest first.

    Args:
        query: Part of a name; without it all agents are listed.
        limit: How many agents at the most.
    """
    page = Page(limit=_within(limit))
    found = await visitor.read(agents_page, AgentFilters(query_text=query), page, ("agent.tags",))
    return {"agents": [described(parts) for parts in found]}


async def message_agent(
    visitor: Visitor, agent: str, message: str, conversation_id: str | None = None
) -> dict[str, Any]:
    """Send a message to an agent and wait for its answer. The agent remembers what is said to it.

    Args:
        agent: The agent's id, or its name where only one agent has it.
        message: What to say, as a user would.
        conversation_id: One of the agent's conversations; without it, the agent's own history.
    """
    thread_id = await visitor.read(_thread, agent, conversation_id)
    said = SendMessage.model_validate({"input": message})
    run = await visitor.sender.send(visitor.actor, thread_id, said, Delivery("mcp", strategy="enqueue"))
    try:
        frames = await run.ended()
    except Exception as error:
        raise final(error) from error
    answer = [words.text for frame in frames if (words := words_of(frame)) and words.kind == "content"]
    stop = next((frame.stop_reason for frame in frames if isinstance(frame, StopReason)), None)
    return {"answer": "\n".join(answer), "stop_reason": stop, "run_id": run.run_id}


async def read_memory(visitor: Visitor, agent: str) -> dict[str, Any]:
    """Read the memory blocks that an agent always sees.

    Args:
        agent: The agent's id, or its name where only one agent has it.
    """
    found = await visitor.read(_blocks, agent)
    keys = ("label", "description", "value", "read_only")
    return {"blocks": [{key: getattr(block, key) for key in keys} for block in found]}


async def read_messages(visitor: Visitor, agent: str, limit: int = 20) -> dict[str, Any]:
    """Read the latest messages between an agent and its users, the oldest of them first.

    Args:
        agent: The agent's id, or its name where only one agent has it.
        limit: How many messages at the most.
    """
    return await _searched(visitor, agent, "", limit)


async def search_messages(visitor: Visitor, agent: str, query: str, limit: int = 10) -> dict[str, Any]:
    """Search all that was ever said between an agent and its users, by words.

    Args:
        agent: The agent's id, or its name where only one agent has it.
        query: Words to look for.
        limit: How many messages at the most.
    """
    return await _searched(visitor, agent, query, limit)


async def search_archival_memory(
    visitor: Visitor, agent: str, query: str, tags: list[str] | None = None, limit: int = 10
) -> dict[str, Any]:
    """Search what an agent keeps for good beside what it always sees, by words and by meaning.

    Args:
        agent: The agent's id, or its name where only one agent has it.
        query: What to look for, in plain words.
        tags: Only memories with any of these tags.
        limit: How many memories at the most.
    """
    asked = await visitor.read(find_agent, agent, "agent")
    wanted = PassageFilter(tags=tags or ())
    found = await visitor.archives.recall(visitor.actor, asked.id, query, wanted, _within(limit))
    return {"memories": [memory(each, asked.timezone).model_dump(exclude={"relevance"}) for each in found]}


async def insert_archival_memory(
    visitor: Visitor, agent: str, text: str, tags: list[str] | None = None
) -> dict[str, Any]:
    """Let an agent keep something for good, without telling it: it finds it when it searches its memory.

    Args:
        agent: The agent's id, or its name where only one agent has it.
        text: What it shall keep, understandable by itself.
        tags: A few words to sort it by.
    """
    asked = await visitor.read(find_agent, agent, "agent")
    [kept] = await visitor.archives.remember(visitor.actor, asked.id, [NewPassage(text, tags or ())])
    return {"id": kept.id, "archive_id": kept.archive_id}


READING = (list_agents, read_memory, read_messages, search_messages, search_archival_memory)
TOOLS: tuple[McpTool, ...] = (*READING, message_agent, insert_archival_memory)


def described(parts: AgentParts) -> dict[str, Any]:
    """An agent in a few words."""
    agent = parts.agent
    last = agent.last_run_completion
    return {
        "id": agent.id,
        "name": agent.name,
        "description": agent.description,
        "tags": list(parts.tags),
        "model": agent.model,
        "last_active": last.isoformat() if last else None,
    }


def _within(limit: int) -> int:
    return max(1, min(limit, MOST))


def _thread(conn: Connection, actor: Actor, agent: str, conversation_id: str | None) -> str:
    found = find_agent(conn, actor, agent, "agent")
    if conversation_id is None:
        return found.id
    place = find(conn, actor, conversation_id)
    if place.agent.id != found.id:
        raise NotFound(f"conversation_id: {found.name} has no conversation {conversation_id}.")
    return place.thread_id


def _blocks(conn: Connection, actor: Actor, agent: str) -> list[BlockRow]:
    return store.blocks_of(conn, find_agent(conn, actor, agent, "agent").id)


def _found(conn: Connection, actor: Actor, agent: str, query: str, limit: int) -> list[MessageRow]:
    agent_id = find_agent(conn, actor, agent, "agent").id
    found = [each.row for each in search(conn, actor, Search(query, SPOKEN, agent_id, limit=limit))]
    return found if query else found[::-1]


async def _searched(visitor: Visitor, agent: str, query: str, limit: int) -> dict[str, Any]:
    found: list[MessageRow] = await visitor.read(_found, agent, query, _within(limit))
    return {
        "messages": [
            {"role": row.role, "text": searchable(row.parts), "created_at": row.created_at.isoformat()}
            for row in found
        ]
    }
