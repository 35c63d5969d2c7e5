"""The little of the V1 API that the measures need, over plain HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.raw import first_and_last

BLOCKS = (
    {"label": "human", "value": "The person likes short answers."},
    {"label": "persona", "value": "I answer shortly."},
)


@dataclass(slots=True)
class Api:
    """A V1 server. Agents made here are deleted by `clear`."""

    client: httpx.Client
    embedding: str | None = None
    agents: list[str] = field(default_factory=list)

    def create_agent(self, handle: str, **fields: Any) -> str:
        """An agent with two blocks and the tools its server gives by default; returns its id."""
        body = {"model": handle, "memory_blocks": BLOCKS, "include_base_tools": True, **fields}
        if self.embedding:
            body["embedding"] = self.embedding
        agent_id = self._call("POST", "/v1/agents/", body)["id"]
        self.agents.append(agent_id)
        return agent_id

    def create_tool(self, source: str) -> str:
        """A tool of its source; returns its id."""
        return self._call("POST", "/v1/tools/", {"source_code": source, "source_type": "python"})["id"]

    def delete_tool(self, tool_id: str) -> None:
        """Delete a tool."""
        self._call("DELETE", f"/v1/tools/{tool_id}")

    def tool_times(self, agent_id: str) -> list[float]:
        """Milliseconds that the tools of each of an agent's steps took."""
        steps = self._call("GET", f"/v1/steps/?agent_id={agent_id}&limit=100")
        metrics = [self._call("GET", f"/v1/steps/{step['id']}/metrics") for step in steps]
        return [each["tool_execution_ns"] / 1e6 for each in metrics if each["tool_execution_ns"]]

    def send(self, agent_id: str, *texts: str) -> dict[str, Any]:
        """Say something and wait for the answer, which must end well."""
        answer = self._call("POST", f"/v1/agents/{agent_id}/messages", said(texts))
        if answer["stop_reason"]["stop_reason"] != "end_turn":
            raise SystemExit(f"A message ended with {answer['stop_reason']}: {answer['messages'][-1:]}")
        return answer

    def first_token(self, agent_id: str, text: str, clock: Any) -> tuple[float, float]:
        """When the first text of a streamed answer came, and its end."""
        body = said([text]) | {"stream_tokens": True}
        path = f"/v1/agents/{agent_id}/messages/stream"
        with self.client.stream("POST", path, json=body) as response:
            return first_and_last(response, _is_text, clock)

    def forget(self, agent_id: str) -> None:
        """Take all but the first message out of an agent's context, and let it grow from there."""
        ids = self._call("GET", f"/v1/agents/{agent_id}")["message_ids"]
        kept = {"message_ids": ids[:1], "message_buffer_autoclear": False}
        self._call("PATCH", f"/v1/agents/{agent_id}", kept)

    def clear(self) -> None:
        """Delete the agents made here."""
        for agent_id in self.agents:
            self._call("DELETE", f"/v1/agents/{agent_id}")
        self.agents.clear()

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        response = self.client.request(method, path, json=body)
        if response.status_code >= 400:
            raise SystemExit(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else None


def said(texts: Sequence[str]) -> dict[str, Any]:
    """A request with these user messages."""
    return {"messages": [{"role": "user", "content": text} for text in texts]}


def _is_text(event: dict[str, Any]) -> bool:
    return event.get("message_type") == "assistant_message" and bool(event.get("content"))
