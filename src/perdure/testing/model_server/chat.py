"""OpenAI chat completions, as the scripted server speaks it."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from perdure.testing.model_server.script import Called, Failure, Said, Script, Thought, Turn, text_of

PATHS = ("/v1/chat/completions", "/chat/completions")
FAULTS = {
    "overflow": (
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    ),
    "quota": ("insufficient_quota", "You exceeded your current quota, please check your plan and billing."),
    "filter": ("content_filter", "The prompt triggered the content policy."),
}
IDS = count(1)
Frame = tuple[str | None, Any]  # the event's name where the format has one, and its data


def read_turn(body: dict[str, Any]) -> Turn:
    """The state of the conversation in a request."""
    returned: list[str] = []
    answers = 0
    for message in reversed(body["messages"]):
        role = message["role"]
        if role == "tool" and not answers:
            returned.append(text_of(message["content"]))
        elif role == "assistant":
            answers += 1
        elif role == "user":
            return Turn(text_of(message["content"]), answers, tuple(reversed(returned)))
    return Turn("", answers, tuple(reversed(returned)))


def frames(script: Script, body: dict[str, Any], size: int) -> Iterator[Frame]:
    """The answer as server-sent events."""
    yield None, _chunk(body, {"role": "assistant", "content": ""})
    calls = 0
    for item in script.items:
        match item:
            case Said():
                for chunk in item.chunks:
                    yield None, _chunk(body, {"content": chunk})
            case Thought(redacted=False):
                for chunk in item.chunks:
                    yield None, _chunk(body, {"reasoning_content": chunk})
            case Called():
                head = {"index": calls, **_call(item, "")}
                yield None, _chunk(body, {"tool_calls": [head]})
                for chunk in item.chunks:
                    piece = {"index": calls, "function": {"arguments": chunk}}
                    yield None, _chunk(body, {"tool_calls": [piece]})
                calls += 1
            case _:
                pass
    if script.error:
        yield None, {"error": {"message": script.error, "type": "server_error", "code": 500}}
        return
    yield None, _chunk(body, {}, script.finish)
    if (body.get("stream_options") or {}).get("include_usage"):
        yield None, {**_chunk(body, {}), "choices": [], "usage": _usage(script, size)}
    yield None, "[DONE]"


def answer(script: Script, body: dict[str, Any], size: int) -> dict[str, Any]:
    """The answer as one object."""
    calls = [item for item in script.items if isinstance(item, Called)]
    message: dict[str, Any] = {"role": "assistant", "content": _joined(script, Said) or None}
    if thought := _joined(script, Thought):
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = [_call(call, call.arguments) for call in calls]
    choice = {"index": 0, "message": message, "finish_reason": script.finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body.get("model")}
    return {**head, "choices": [choice], "usage": _usage(script, size)}


def failure(fault: Failure) -> dict[str, Any]:
    """The body of an HTTP error."""
    code, message = FAULTS.get(fault.kind, (None, f"Scripted failure {fault.status}"))
    kind = "invalid_request_error" if fault.status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _chunk(body: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
    return {**head, "model": body.get("model"), "choices": [choice]}


def _call(call: Called, arguments: str) -> dict[str, Any]:
    name = f"call_{next(IDS):08d}"
    return {"id": name, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _joined(script: Script, kind: type[Said | Thought]) -> str:
    chosen = [item for item in script.items if isinstance(item, kind)]
    return "".join(chunk for item in chosen for chunk in item.chunks)


def _usage(script: Script, size: int) -> dict[str, Any]:
    thought = script.tokens(Thought)
    output = script.tokens(Said) + script.tokens(Called) + thought
    prompt = max(1, size // 4)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": prompt // 2},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }
