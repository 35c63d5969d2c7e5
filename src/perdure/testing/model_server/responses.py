"""OpenAI Responses, as the scripted server speaks it."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from perdure.testing.model_server import chat
from perdure.testing.model_server.chat import Frame
from perdure.testing.model_server.script import Called, Failure, Said, Script, Thought, Turn, text_of

PATHS = ("/v1/responses", "/responses")
IDS = count(1)


def read_turn(body: dict[str, Any]) -> Turn:
    """The state of the conversation in a request."""
    given = body["input"]
    if isinstance(given, str):
        return Turn(given, 0, ())
    returned: list[str] = []
    answers = 0
    inside = False
    for item in reversed(given):
        kind, role = item.get("type", "message"), item.get("role")
        if kind == "function_call_output" and not answers:
            returned.append(text_of(item["output"]))
        if kind == "message" and role == "user":
            return Turn(text_of(item["content"]), answers, tuple(reversed(returned)))
        ours = kind in ("function_call", "reasoning") or (kind == "message" and role == "assistant")
        answers += ours and not inside
        inside = ours
    return Turn("", answers, tuple(reversed(returned)))


def frames(script: Script, body: dict[str, Any], size: int) -> Iterator[Frame]:
    """The answer as server-sent events."""
    numbers = count()
    done: list[dict[str, Any]] = []

    def event(kind: str, **fields: Any) -> Frame:
        return kind, {"type": kind, "sequence_number": next(numbers), **fields}

    yield event("response.created", response=_response(body, script, [], size, "in_progress"))
    for index, item in enumerate(script.items):
        whole = _item(item)
        place = {"output_index": index, "item_id": whole["id"]}
        yield event("response.output_item.added", output_index=index, item=_empty(whole))
        for kind, fields in _pieces(item, whole):
            yield event(kind, **place, **fields)
        yield event("response.output_item.done", output_index=index, item=whole)
        done.append(whole)
    if script.error:
        yield event("error", code="server_error", message=script.error, param=None)
        return
    status = "incomplete" if script.finish in ("length", "content_filter") else "completed"
    yield event(f"response.{status}", response=_response(body, script, done, size, status))


def answer(script: Script, body: dict[str, Any], size: int) -> dict[str, Any]:
    """The answer as one object."""
    return _response(body, script, [_item(item) for item in script.items], size, "completed")


def failure(fault: Failure) -> dict[str, Any]:
    """The body of an HTTP error."""
    return chat.failure(fault)


def _pieces(item: Said | Thought | Called, whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    match item:
        case Said():
            part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
            yield "response.content_part.added", {"content_index": 0, "part": part}
            for chunk in item.chunks:
                yield "response.output_text.delta", {"content_index": 0, "delta": chunk, "logprobs": []}
            text = whole["content"][0]["text"]
            yield "response.output_text.done", {"content_index": 0, "text": text, "logprobs": []}
        case Thought(redacted=False):
            summary = {"type": "summary_text", "text": ""}
            yield "response.reasoning_summary_part.added", {"summary_index": 0, "part": summary}
            for chunk in item.chunks:
                yield "response.reasoning_summary_text.delta", {"summary_index": 0, "delta": chunk}
            yield "response.reasoning_summary_part.done", {"summary_index": 0, "part": whole["summary"][0]}
        case Called():
            for chunk in item.chunks:
                yield "response.function_call_arguments.delta", {"delta": chunk}
            arguments = {"arguments": item.arguments, "name": item.name}
            yield "response.function_call_arguments.done", arguments
        case _:
            pass


def _item(item: Said | Thought | Called) -> dict[str, Any]:
    number = next(IDS)
    text = item.arguments if isinstance(item, Called) else "".join(item.chunks)
    match item:
        case Said():
            content: list[dict[str, Any]] = [
                {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
            ]
            head = {"id": f"msg_{number}", "type": "message", "role": "assistant"}
            return {**head, "status": "completed", "content": content}
        case Thought():
            summary = [] if item.redacted else [{"type": "summary_text", "text": text}]
            sealed = text if item.redacted else f"encrypted-{number}"
            return {
                "id": f"rs_{number}",
                "type": "reasoning",
                "summary": summary,
                "encrypted_content": sealed,
            }
        case Called():
            names = {"id": f"fc_{number}", "call_id": f"call_{number:08d}", "name": item.name}
            return {"type": "function_call", **names, "arguments": text, "status": "completed"}


def _empty(whole: dict[str, Any]) -> dict[str, Any]:
    blank: dict[str, Any] = {"content": [], "summary": [], "arguments": "", "status": "in_progress"}
    return whole | {key: value for key, value in blank.items() if key in whole}


def _response(
    body: dict[str, Any], script: Script, output: list[dict[str, Any]], size: int, status: str
) -> dict[str, Any]:
    prompt, thought = max(1, size // 4), script.tokens(Thought)
    told = script.tokens(Said) + script.tokens(Called) + thought
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    reason = reasons.get(script.finish) if status == "incomplete" else None
    usage = {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": prompt // 2},
        "output_tokens": told,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": prompt + told,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": body.get("model"),
        "status": status,
        "output": output,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None if status == "in_progress" else usage,
    }
