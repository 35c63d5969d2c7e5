"""Raw calls of the scripted model server in three formats: what a server's work is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson


@dataclass(frozen=True, slots=True)
class Format:
    """A vendor's format: where and how to ask, and where the first piece of text is in its stream."""

    name: str
    handle: str
    path: str
    headers: Mapping[str, str]

    def body(self, text: str, *, stream: bool) -> dict[str, Any]:
        """The smallest request that says `text`."""
        model = self.handle.partition("/")[2]
        said = [{"role": "user", "content": text}]
        match self.name:
            case "responses":
                return {"model": model, "input": said, "stream": stream}
            case "anthropic":
                return {"model": model, "max_tokens": 1024, "messages": said, "stream": stream}
            case _:
                return {"model": model, "messages": said, "stream": stream}

    def is_text(self, event: dict[str, Any]) -> bool:
        """Whether an event of the stream carries text."""
        match self.name:
            case "responses":
                return event["type"] == "response.output_text.delta"
            case "anthropic":
                return event["type"] == "content_block_delta"
            case _:
                return any(choice["delta"].get("content") for choice in event["choices"])


FORMATS = (
    Format("chat", "openai/gpt-4o-mini", "/v1/chat/completions", {}),
    Format("responses", "openai/gpt-5-mini", "/v1/responses", {}),
    Format("anthropic", "anthropic/claude-haiku-4-5", "/v1/messages", {"anthropic-version": "2023-06-01"}),
)


@dataclass(frozen=True, slots=True)
class Raw:
    """Calls of a model server without anything between, on one kept connection."""

    client: httpx.Client

    def ask(self, form: Format, text: str) -> None:
        """One blocking call."""
        body = form.body(text, stream=False)
        self.client.post(form.path, json=body, headers=dict(form.headers)).raise_for_status().json()

    def first_token(self, form: Format, text: str, clock: Any) -> tuple[float, float]:
        """When the first text of a streamed call came, and its end."""
        body = form.body(text, stream=True)
        with self.client.stream("POST", form.path, json=body, headers=dict(form.headers)) as response:
            return first_and_last(response, form.is_text, clock)


def first_and_last(response: httpx.Response, wanted: Any, clock: Any) -> tuple[float, float]:
    """When the first wanted event of a stream of server-sent events came, and the stream's end."""
    response.raise_for_status()
    first = None
    for line in response.iter_lines():
        if first is None and line.startswith("data: {") and wanted(orjson.loads(line[6:])):
            first = clock()
    if first is None:
        raise SystemExit(f"{response.url} streamed no text")
    return first, clock()
