"""The agent all deeds are done to, and a ledger of what was said to it and taken on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import httpx

from bench.agents import AGENT, CLIENT_TOOLS, history_at, pending_in
from bench.interleave.mind import KINDS
from perdure.testing.live import LiveServer


class Broken(AssertionError):
    """Something that must hold does not."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A history: the agent's own, or a conversation's."""

    id: str
    agent_id: str

    @property
    def path(self) -> str:
        return f"/v1/{'agents' if self.id == self.agent_id else 'conversations'}/{self.id}"


@dataclass(slots=True)
class Said:
    """One input: whether it was taken on (None: it may have been), in which thread, by which run."""

    token: str
    thread: Thread
    taken: bool | None = None
    run_id: str | None = None


@dataclass(slots=True)
class World:
    """One agent, its threads, and what was done to them."""

    http: httpx.AsyncClient
    live: LiveServer
    random: Random
    agent_id: str
    threads: list[Thread]
    said: list[Said] = field(default_factory=list[Said])
    told: list[tuple[str, str]] = field(
        default_factory=list[tuple[str, str]]
    )  # run, the stop reason streamed
    crashed: set[str] = field(default_factory=set[str])
    log: list[str] = field(default_factory=list[str])
    numbers: Iterator[int] = field(default_factory=count)

    def story(self, thread: Thread, kind: str | None = None) -> tuple[Said, dict[str, Any]]:
        """A new input and the request that says it."""
        said = Said(f"t{next(self.numbers)}", thread)
        self.said.append(said)
        text = f"story {said.token} {kind or self.random.choice(KINDS)}"
        return said, {"messages": [{"role": "user", "content": text}], "client_tools": CLIENT_TOOLS}

    async def ask(self, method: str, path: str, body: Any = None, allowed: tuple[int, ...] = (200,)) -> Any:
        """One request; its JSON, or `Broken` where the status is none of those allowed."""
        response = await self.http.request(method, path, json=body)
        self.note(f"{method} {path.rpartition('/v1/')[2][:60]} → {response.status_code}")
        if response.status_code not in allowed:
            raise Broken(f"{method} {path} {body}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else None

    def note(self, words: str) -> None:
        """Remember what was done, for the report of a failure."""
        self.log.append(words)

    async def history(self, thread: Thread) -> list[dict[str, Any]]:
        """All that was said in a thread, oldest first."""
        own = "?conversation_id=default" if thread.id == thread.agent_id else ""
        return await history_at(self.http, f"{thread.path}/messages{own}")

    async def pending(self, thread: Thread) -> list[dict[str, Any]]:
        """The calls at the end of a thread that nobody has decided about."""
        return pending_in(reversed(await self.history(thread)))

    async def open_runs(self) -> list[str]:
        """The runs that are at work, or wait to be."""
        found = await self.http.get(f"/v1/runs/?agent_id={self.agent_id}&active=true&limit=100")
        return [run["id"] for run in found.raise_for_status().json()]


async def new_world(http: httpx.AsyncClient, live: LiveServer, random: Random, handle: str) -> World:
    """An agent with a guarded tool, a free one and blocks, and one conversation beside its own thread."""
    body = {
        **AGENT,
        "model": handle,
        "memory_blocks": [{"label": "notes", "value": ""}, {"label": "human", "value": "Nobody."}],
        "context_window_limit": random.choice((None, 3000)),  # a small one is full before the story ends
        "model_settings": {"provider_type": "openai", "parallel_tool_calls": True},
    }
    agent = (await http.post("/v1/agents/", json=body)).raise_for_status().json()["id"]
    made = await http.post(f"/v1/conversations/?agent_id={agent}", json={})
    threads = [Thread(agent, agent), Thread(made.raise_for_status().json()["id"], agent)]
    return World(http, live, random, agent, threads)
