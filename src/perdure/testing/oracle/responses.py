"""OpenAI's rules of a Responses body."""

from collections.abc import Iterator
from typing import Any

from perdure.testing.oracle.chat import argument_faults, tool_faults
from perdure.testing.oracle.pairs import Pairs

FOLLOWING = ("reasoning", "function_call", "message")


def refusal(body: dict[str, Any]) -> str | None:
    """Why the body would be refused; None when it would not."""
    return next(_faults(body), None)


def _faults(body: dict[str, Any]) -> Iterator[str]:
    items: Any = body["input"]
    if not items:
        yield "input is empty"
    yield from tool_faults(body, [tool.get("name", tool["type"]) for tool in body.get("tools", ())])
    if isinstance(items, str):
        return
    pairs, thought = Pairs(), False
    for number, item in enumerate(items):
        place, kind = f"input[{number}]", item.get("type", "message")
        if thought and (kind not in FOLLOWING or item.get("role", "assistant") != "assistant"):
            yield f"{place}: reasoning without the item that must follow it"
        thought = kind == "reasoning"
        match kind:
            case "function_call":
                yield from pairs.ask([item["call_id"]])
                yield from argument_faults(item["arguments"], place)
            case "function_call_output":
                yield from pairs.answer([item["call_id"]])
            case "message":
                if item.get("role") != "assistant":
                    yield from pairs.go_on()
                if not item.get("content"):
                    yield f"{place}: a message without content"
            case _:
                pass
    if thought:
        yield "reasoning without the item that must follow it"
    yield from pairs.go_on()
