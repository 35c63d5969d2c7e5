"""A client that talks with one agent until it is told to stop, and notes what it was told."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import httpx
import orjson

from bench.agents import CLIENT_TOOLS, FREE, GUARDED, REFUSALS, THEIRS, pending_in, reply_to
from bench.kills.ledger import Ledger, Said

KINDS = ("say", "slow", "slow", "edit", "edit", "two", "guarded", "client")


class Caller:
    """Talks with an agent, now through one server, now through another."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        urls: Sequence[str],
        ledger: Ledger,
        random: Random,
    ) -> None:
        self.http, self.urls, self.ledger, self.random = http, urls, ledger, random
        self.stopped = asyncio.Event()
        self.errors = 0

    def path(self, rest: str) -> str:
        """The address of something of the agent's, at any of the servers."""
        return f"{self.random.choice(self.urls)}/v1/agents/{self.ledger.agent_id}/{rest}"

    async def talk(self) -> None:
        """Say one thing after the other; a server that breaks off is asked again."""
        while not self.stopped.is_set():
            await self.step()

    async def step(self) -> None:
        """Answer what waits, or say something; a connection that breaks is an error and no more."""
        try:
            if not await self.decide():
                await self._say()
        except httpx.TransportError:
            self.errors += 1
            await asyncio.sleep(0.05)

    async def _say(self) -> None:
        said = Said(f"t{len(self.ledger.said)}")
        self.ledger.said.append(said)
        body: dict[str, Any] = {"messages": [{"role": "user", "content": self._words(said.token)}]}
        body["client_tools"] = CLIENT_TOOLS
        way = self.random.choice((self._wait, self._stream, self._stream, self._leave))
        await way(said, body)

    async def hello(self) -> bool:
        """Say something simple; whether it was answered."""
        said = Said(f"t{len(self.ledger.said)}")
        self.ledger.said.append(said)
        body = {"messages": [{"role": "user", "content": f"say:Answer {said.token}."}]}
        await self._wait(said, body)
        return said.answered

    def _words(self, token: str) -> str:
        """What the scripted model server is to do for this input."""
        end = f"say:Answer {token}."
        edit = orjson.dumps({"label": "notes", "new_string": f"<{token}>"}).decode()
        asked = orjson.dumps({"label": "notes", "content": f"<{token}>"}).decode()
        match self.random.choice(KINDS):
            case "slow":
                return f"slow:{self.random.choice((5, 20, 40))}\n{end}"
            case "edit":
                return f"slow:3\ncall:{FREE} {edit}\nstep:\nslow:10\n{end}"
            case "two":
                second = edit.replace("<", "<second-")
                return f"call:{FREE} {edit}\nstep:\ncall:{FREE} {second}\nstep:\n{end}"
            case "guarded":
                return f"call:{GUARDED} {asked}\nstep:\n{end}"
            case "client":
                return f"call:{THEIRS} {{}}\nstep:\nslow:5\n{end}"
            case _:
                return end

    async def _wait(self, said: Said | None, body: dict[str, Any]) -> None:
        answer = await self.http.post(self.path("messages"), json=body)
        _note(said, answer)
        if said and answer.status_code == 200:
            said.answered = f"Answer {said.token}." in answer.text
            said.how = answer.text[-1500:]

    async def _stream(self, said: Said, body: dict[str, Any]) -> None:
        body |= {"streaming": True, "stream_tokens": self.random.random() < 0.5}
        body["background"] = self.random.random() < 0.5
        async with self.http.stream("POST", self.path("messages"), json=body) as answer:
            if answer.status_code != 200:
                await answer.aread()
                _note(said, answer)
                return
            text, done = "", False
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    said.taken = True  # the first frame comes when the input is stored
                    said.how = (said.how + line)[-1500:]
                    frame = orjson.loads(line[6:])
                    if frame["message_type"] == "assistant_message":
                        text += frame["content"]
                    done = done or frame.get("stop_reason") == "end_turn"
            said.answered = done and f"Answer {said.token}." in text

    async def _leave(self, said: Said, body: dict[str, Any]) -> None:
        """Hand a message in, and look after a while."""
        answer = await self.http.post(self.path("messages/async"), json=body)
        _note(said, answer)
        await asyncio.sleep(0.05)

    async def decide(self) -> bool:
        """Answer what waits; False where nothing does."""
        latest = await self.http.get(self.path("messages?limit=4&order=desc&conversation_id=default"))
        calls = pending_in(latest.raise_for_status().json())
        if calls:
            await self._wait(None, reply_to(calls, self.random, 0.8))
        return bool(calls)


def _note(said: Said | None, answer: httpx.Response) -> None:
    """Whether the input was taken on; a run that failed has its input stored all the same."""
    status = answer.status_code
    if status not in (200, 503, *REFUSALS):
        raise AssertionError(f"{said}: {status} {answer.text[:500]}")
    if said and (status != 503 or answer.headers.get("x-should-retry") == "false"):
        said.taken = status not in REFUSALS
