"""A small client of the server's REST API, for the commands that talk to one."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Self

import httpx2

from perdure.kit.errors import NotFound, PerdureError
from perdure.kit.ids import is_id

DATA = "data: "
DONE = "[DONE]"
ANSWER_SECONDS = 120.0  # of silence; a stream sends pings well before
PAGE = 50
UNAUTHORIZED = 401

Wire = dict[str, Any]


class NoServer(PerdureError):
    """Nobody answers at the address."""


class Refused(PerdureError):
    """The server answered with an error; its own words."""

    def __init__(self, detail: str, status: int):
        super().__init__(detail)
        self.status = status


class Api:
    """One server, by its URL; every call raises `NoServer` or `Refused` in words for a person."""

    def __init__(self, url: str, key: str | None = None):
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx2.Timeout(ANSWER_SECONDS, connect=5.0)
        # A proxy of the environment is for the wide world, not for a server named by hand.
        self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def version(self) -> str:
        """The version of the server, which thereby answers."""
        return self._call("GET", "/v1/health/")["version"]

    def find_agent(self, wanted: str) -> Wire:
        """The agent of this id, or the newest of this name."""
        if is_id("agent", wanted):
            return self._call("GET", f"/v1/agents/{wanted}")
        found: list[Wire] = self._call("GET", "/v1/agents/", params={"name": wanted, "limit": 1})
        if not found:
            raise NotFound(f"There is no agent named {wanted!r}.")
        return found[0]

    def list_agents(self) -> list[Wire]:
        """The agents, the newest first."""
        return self._call("GET", "/v1/agents/", params={"limit": PAGE})

    def create_agent(self, **body: Any) -> Wire:
        """A new agent."""
        return self._call("POST", "/v1/agents/", json=body)

    def set_model(self, agent_id: str, handle: str) -> Wire:
        """Give an agent another model."""
        return self._call("PATCH", f"/v1/agents/{agent_id}", json={"model": handle})

    def list_models(self) -> list[str]:
        """The handles of all models."""
        return [model["handle"] for model in self._call("GET", "/v1/models/")]

    def list_providers(self) -> list[Wire]:
        """The providers and how they do."""
        return self._call("GET", "/v1/providers/")

    def blocks(self, agent_id: str) -> dict[str, str]:
        """What an agent's memory blocks say, by label, in the order they were attached."""
        memory = self._call("GET", f"/v1/agents/{agent_id}/core-memory/blocks", params={"order": "asc"})
        return {block["label"]: block["value"] for block in memory}

    @contextmanager
    def send(self, agent_id: str, text: str) -> Generator[Iterator[Wire]]:
        """Say something to an agent; the frames of its answer as they come."""
        with self._stream(agent_id, {"input": text}) as frames:
            yield frames

    @contextmanager
    def reply(self, agent_id: str, approvals: Mapping[str, bool]) -> Generator[Iterator[Wire]]:
        """Answer calls that wait for approval; the frames of what follows."""
        words = [
            {"type": "approval", "tool_call_id": id, "approve": approve} for id, approve in approvals.items()
        ]
        with self._stream(agent_id, {"messages": [{"type": "approval", "approvals": words}]}) as frames:
            yield frames

    def cancel(self, agent_id: str) -> None:
        """Stop what an agent is doing; nothing happens if it does nothing."""
        with suppress(Refused):
            self._call("POST", f"/v1/agents/{agent_id}/messages/cancel")

    @contextmanager
    def _stream(self, agent_id: str, said: Wire) -> Generator[Iterator[Wire]]:
        body = {**said, "streaming": True, "stream_tokens": True}
        with (
            self._words_for_faults(),
            self._http.stream("POST", f"/v1/agents/{agent_id}/messages", json=body) as response,
        ):
            if not response.is_success:
                response.read()
                raise refusal(response)
            yield _frames(response)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        with self._words_for_faults():
            response = self._http.request(method, path, **options)
        if not response.is_success:
            raise refusal(response)
        try:
            return response.json()
        except ValueError as error:
            raise NoServer(f"What answers at {self.url} is not Perdure.") from error

    @contextmanager
    def _words_for_faults(self) -> Generator[None]:
        try:
            yield
        except httpx2.ConnectError as error:
            raise NoServer(f"No server answers at {self.url}.") from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise NoServer(f"{self.url} is not the URL of a server: {error}") from error
        except httpx2.TransportError as error:
            what = str(error) or type(error).__name__
            raise NoServer(f"The connection to {self.url} broke: {what}.") from error


def _frames(response: httpx2.Response) -> Iterator[Wire]:
    for line in response.iter_lines():
        if line.startswith(DATA) and line != DATA + DONE:
            yield json.loads(line.removeprefix(DATA))


def refusal(response: httpx2.Response) -> Refused:
    """The error an answer tells of, in the server's words where it has some."""
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = f"{response.request.url} answered {response.status_code}."
    words = detail if isinstance(detail, str) else json.dumps(detail)
    if response.status_code == UNAUTHORIZED:
        words += " Give yours with --key or PERDURE_API_KEY."
    return Refused(words, response.status_code)
