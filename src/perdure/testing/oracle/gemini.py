"""Google's rules of a Gemini body."""

from collections.abc import Iterator
from typing import Any


def refusal(body: dict[str, Any]) -> str | None:
    """Why the body would be refused; None when it would not."""
    return next(_faults(body), None)


def _faults(body: dict[str, Any]) -> Iterator[str]:
    if not body["contents"]:
        yield "contents is empty"
    waiting: list[str] = []
    before = ""
    for number, content in enumerate(body["contents"]):
        place, role = f"contents[{number}]", content.get("role", "user")
        parts: list[dict[str, Any]] = content.get("parts") or []
        called = [part["functionCall"]["name"] for part in parts if "functionCall" in part]
        returned = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
        if role not in ("user", "model", "function"):
            yield f"{place}: no such role: {role}"
        if not parts or any(part == {} or part.get("text") == "" for part in parts):
            yield f"{place}: a part without content"
        if sorted(returned) != sorted(waiting):
            yield f"{place}: {len(returned)} function responses for {len(waiting)} function calls"
        if called and (role != "model" or before == "model" or not before):
            yield f"{place}: a function call comes right after a user's turn or a function's response"
        waiting, before = called, role
    if waiting:
        yield f"function calls {waiting} have no response"
