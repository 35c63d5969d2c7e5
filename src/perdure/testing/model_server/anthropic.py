"""Anthropic messages, as the scripted server speaks it."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import orjson

from perdure.testing.model_server.chat import Frame
from perdure.testing.model_server.script import (
    Called,
    Failure,
    Said,
    Script,
    Thought,
    Turn,
    last_text_of,
    text_of,
)

PATHS = ("/v1/messages",)
SIGNATURE = "c2lnbmVk"
STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
IDS = count(1)


def read_turn(body: dict[str, Any]) -> Turn:
    """The state of the conversation in a request."""
    returned: list[str] = []
    answers = 0
    for message in reversed(body["messages"]):
        if message["role"] == "assistant":
            answers += 1
            continue
        content: Any = message["content"]
        parts: list[Any] = [] if isinstance(content, str) else content
        results = [part for part in parts if part["type"] == "tool_result"]
        if not answers:
            returned += [text_of(part.get("content")) for part in results]
        text = last_text_of(content)
        if text:
            return Turn(text, answers, tuple(returned))
    return Turn("", answers, tuple(returned))


def frames(script: Script, body: dict[str, Any], size: int) -> Iterator[Frame]:
    """The answer as server-sent events."""
    yield _event("message_start", message={**_head(body), "usage": _input(size) | {"output_tokens": 1}})
    yield _event("ping")
    for index, item in enumerate(script.items):
        empty, field, wrap = _block(item)
        yield _event("content_block_start", index=index, content_block=empty)
        for chunk in item.chunks if wrap else ():
            yield _event("content_block_delta", index=index, delta={"type": wrap, field: chunk})
        if wrap == "thinking_delta":
            signed = {"type": "signature_delta", "signature": SIGNATURE}
            yield _event("content_block_delta", index=index, delta=signed)
        yield _event("content_block_stop", index=index)
    if script.error:
        yield _event("error", error={"type": "overloaded_error", "message": script.error})
        return
    stop = {"stop_reason": STOPS[script.finish], "stop_sequence": None}
    yield _event("message_delta", delta=stop, usage={"output_tokens": _output(script)})
    yield _event("message_stop")


def answer(script: Script, body: dict[str, Any], size: int) -> dict[str, Any]:
    """The answer as one object."""
    usage = _input(size) | {"output_tokens": _output(script)}
    content = [_whole(item) for item in script.items]
    return {**_head(body), "content": content, "stop_reason": STOPS[script.finish], "usage": usage}


def failure(fault: Failure) -> dict[str, Any]:
    """The body of an HTTP error."""
    words = {
        "overflow": "prompt is too long: 210000 tokens > 200000 maximum",
        "quota": "Your credit balance is too low to access the API.",
        "filter": "Output blocked by content filtering policy",
        "": f"Scripted failure {fault.status}",
    }
    kind = KINDS.get(fault.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": words[fault.kind]}}


def _event(kind: str, **fields: Any) -> Frame:
    return kind, {"type": kind, **fields}


def _head(body: dict[str, Any]) -> dict[str, Any]:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": body.get("model")}
    return {**head, "content": [], "stop_reason": None, "stop_sequence": None}


def _block(item: Said | Thought | Called) -> tuple[dict[str, Any], str, str]:
    match item:
        case Said():
            return {"type": "text", "text": ""}, "text", "text_delta"
        case Thought(redacted=True):
            return {"type": "redacted_thinking", "data": "".join(item.chunks)}, "", ""
        case Thought():
            return {"type": "thinking", "thinking": "", "signature": ""}, "thinking", "thinking_delta"
        case Called():
            block: dict[str, Any] = {
                "type": "tool_use",
                "id": f"toolu_{next(IDS):08d}",
                "name": item.name,
                "input": {},
            }
            return block, "partial_json", "input_json_delta"


def _whole(item: Said | Thought | Called) -> dict[str, Any]:
    empty, field, _ = _block(item)
    if isinstance(item, Called):
        return empty | {"input": orjson.loads(item.arguments)}
    return empty | ({field: "".join(item.chunks)} if field else {}) | _signed(item)


def _signed(item: Said | Thought) -> dict[str, Any]:
    return {"signature": SIGNATURE} if isinstance(item, Thought) and not item.redacted else {}


def _input(size: int) -> dict[str, Any]:
    prompt = max(1, size // 4)
    cached = prompt // 2
    return {
        "input_tokens": prompt - cached,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
    }


def _output(script: Script) -> int:
    return script.tokens(Said) + script.tokens(Called) + script.tokens(Thought)
