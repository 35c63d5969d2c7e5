"""A model request as each vendor would read it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from perdure.providers.base import ModelRequest
from perdure.providers.vendors import anthropic as to_anthropic
from perdure.providers.vendors import chat as to_chat
from perdure.providers.vendors import responses as to_responses
from perdure.providers.vendors.compatible import dialect_of
from perdure.testing.oracle import anthropic, chat, responses
from perdure.testing.oracle.history import refusal

CLAUDE, GPT = "claude-sonnet-4-5", "gpt-5-mini"


def refusal_of(request: ModelRequest) -> str | None:
    """Why some vendor would refuse this request; None when each would take it."""
    return next(_faults(request), None)


def _faults(request: ModelRequest) -> Iterator[str]:
    if fault := refusal(request.messages):
        yield f"history: {fault}"
    if fault := chat.refusal(_sent(to_chat.to_wire(request, "openai", dialect_of("openai")))):
        yield f"chat completions: {fault}"
    if fault := responses.refusal(_sent(to_responses.to_wire(replace(request, model=GPT), "openai"))):
        yield f"Responses: {fault}"
    if fault := anthropic.refusal(_sent(to_anthropic.to_wire(replace(request, model=CLAUDE)))):
        yield f"Anthropic: {fault}"


def _sent(body: dict[str, Any]) -> dict[str, Any]:
    """A body as it arrives."""
    return orjson.loads(orjson.dumps(body))
