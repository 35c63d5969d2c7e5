"""Anthropic's rules of a messages body."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from perdure.testing.oracle.pairs import Pairs

CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
THOUGHTS = ("thinking", "redacted_thinking")
CACHE_POINTS = 4


def refusal(body: dict[str, Any]) -> str | None:
    """Why the body would be refused; None when it would not."""
    return next(_faults(body), None)


def _faults(body: dict[str, Any]) -> Iterator[str]:
    turns: list[dict[str, Any]] = body["messages"]
    if not turns:
        yield "messages is empty"
    if turns and turns[0]["role"] != "user":
        yield "messages: the first must be the user's"
    if "max_tokens" not in body:
        yield "max_tokens is missing"
    yield from _tool_faults(body)
    pairs, before = Pairs(), None
    for number, turn in enumerate(turns):
        place, role = f"messages[{number}]", turn["role"]
        if role not in ("user", "assistant"):
            yield f"{place}: no such role: {role}"
        if role == before:
            yield f"{place}: roles must alternate, and {role} comes twice"
        before = role
        yield from _turn_faults(blocks_of(turn), place, role, pairs)
    yield from pairs.go_on()
    yield from _cache_faults(body)
    yield from _thinking_faults(body)


def blocks_of(turn: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The content of a turn as blocks."""
    content = turn["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _turn_faults(blocks: list[dict[str, Any]], place: str, role: str, pairs: Pairs) -> Iterator[str]:
    results = [block for block in blocks if block["type"] == "tool_result"]
    calls = [block for block in blocks if block["type"] == "tool_use"]
    if not blocks:
        yield f"{place}: content is empty"
    if (calls and role != "assistant") or (results and role != "user"):
        yield f"{place}: the {role} can say neither a call nor a result of the other side"
    if blocks[: len(results)] != results:
        yield f"{place}: tool results must come before anything else"
    yield from pairs.answer(block["tool_use_id"] for block in results)
    yield from pairs.go_on()
    yield from pairs.ask(block["id"] for block in calls)
    for block in blocks:
        if block["type"] == "text" and not block["text"].strip():
            yield f"{place}: a text without words"
    for call in calls:
        if not CALL_ID.fullmatch(call["id"]):
            yield f"{place}: {call['id']!r} is no id of a call"
        if not isinstance(call["input"], dict):
            yield f"{place}: the input of a call is no object"


def _tool_faults(body: dict[str, Any]) -> Iterator[str]:
    names = [tool["name"] for tool in body.get("tools", ())]
    if len(set(names)) != len(names):
        yield f"tools: names come twice: {names}"
    choice = body.get("tool_choice", {})
    if choice and not names:
        yield "tool_choice without tools"
    if "name" in choice and choice["name"] not in names:
        yield f"tool_choice: there is no tool {choice['name']!r}"
    thinks = body.get("thinking", {}).get("type", "disabled") != "disabled"
    if thinks and choice.get("type") in ("any", "tool"):
        yield "thinking while a call is forced"


def _cache_faults(body: dict[str, Any]) -> Iterator[str]:
    system: Any = body.get("system", ())
    said = [block for turn in body["messages"] for block in blocks_of(turn)]
    told: list[dict[str, Any]] = [] if isinstance(system, str) else list(system)
    points = sum("cache_control" in block for block in (*body.get("tools", ()), *told, *said))
    if points > CACHE_POINTS:
        yield f"{points} cache points, at most {CACHE_POINTS} are allowed"


def _thinking_faults(body: dict[str, Any]) -> Iterator[str]:
    """With a thinking budget, the answer whose calls have just returned must begin with its thinking."""
    if body.get("thinking", {}).get("type") != "enabled":
        return
    for turn in reversed(body["messages"]):
        kinds = [block["type"] for block in blocks_of(turn)]
        if turn["role"] == "user" and any(kind != "tool_result" for kind in kinds):
            return
        if turn["role"] == "assistant" and "tool_use" in kinds and kinds[0] not in THOUGHTS:
            yield "thinking is on, and the last calls do not begin with the thinking that led to them"
