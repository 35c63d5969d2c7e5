"""The agent that interleavings, kills and soaks talk with, and what its history says."""

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any

import httpx
import orjson

GUARDED, FREE, THEIRS = "core_memory_append", "memory_insert", "open_door"
CLIENT_TOOLS = [{"name": THEIRS, "description": "Opens.", "parameters": {"type": "object", "properties": {}}}]
AGENT: dict[str, Any] = {
    "memory_blocks": [{"label": "notes", "value": ""}],
    "tools": [FREE, GUARDED],
    "include_base_tools": False,
    "tool_rules": [{"type": "requires_approval", "tool_name": GUARDED}],
}
REFUSALS = (400, 409)

Message = dict[str, Any]


async def history_at(http: httpx.AsyncClient, url: str) -> list[Message]:
    """All that was said in a thread, oldest first; `url` is that of its messages, without a cursor."""
    listed: list[Message] = []
    while True:
        after = {"after": listed[-1]["id"]} if listed else {}
        named = {"limit": 500, "order": "asc", **after}
        page = (await http.get(str(httpx.URL(url).copy_merge_params(named)))).raise_for_status().json()
        listed += page
        if not page:
            return listed


def pending_in(newest_first: Iterable[Message]) -> list[dict[str, Any]]:
    """The calls at the end of a history that wait for a word."""
    for message in newest_first:
        match message["message_type"]:
            case "approval_request_message":
                return message["tool_calls"]
            case "approval_response_message" | "tool_return_message":
                return []
            case _:
                pass
    return []


def reply_to(calls: Iterable[dict[str, Any]], random: Random, approved: float) -> dict[str, Any]:
    """A request that answers calls: with what the client's tool returned, or with yes or no."""
    words = [_word_on(call, random, approved) for call in calls]
    return {"messages": [{"type": "approval", "approvals": words}], "client_tools": CLIENT_TOOLS}


def _word_on(call: dict[str, Any], random: Random, approved: float) -> dict[str, Any]:
    of = {"tool_call_id": call["tool_call_id"]}
    if call["name"] == THEIRS:
        return {"type": "tool", "tool_return": "It creaked.", "status": "success", **of}
    return {"type": "approval", "approve": random.random() < approved, "reason": "so", **of}


def calls_in(history: Iterable[Message]) -> list[dict[str, Any]]:
    """The calls of a history, asked about or not."""
    kinds = ("tool_call_message", "approval_request_message")
    return [call for m in history if m["message_type"] in kinds for call in m["tool_calls"]]


def returns_in(history: Iterable[Message]) -> list[dict[str, Any]]:
    """The returns of a history."""
    return [part for m in history if m["message_type"] == "tool_return_message" for part in m["tool_returns"]]


def unpaired(history: list[Message]) -> str | None:
    """What is wrong where a call has no return, or more than one."""
    called = Counter(call["tool_call_id"] for call in calls_in(history))
    returned = Counter(part["tool_call_id"] for part in returns_in(history))
    if called == returned:
        return None
    return f"calls without their one return: {called - returned}, returns: {returned - called}"


def outcomes_in(history: Iterable[Message]) -> list[tuple[dict[str, Any], str | None]]:
    """Each call with how it ended; an id may name another call once its first one has left the context."""
    latest: dict[str, int] = {}
    found: list[tuple[dict[str, Any], str | None]] = []
    for message in history:
        for call in calls_in([message]):
            latest[call["tool_call_id"]] = len(found)
            found.append((call, None))
        for part in returns_in([message]):
            place = latest.get(part["tool_call_id"])
            if place is not None:
                found[place] = (found[place][0], part["status"])
    return found


def words_of(call: dict[str, Any]) -> str | None:
    """What a call writes to memory."""
    try:
        given = orjson.loads(call["arguments"])
    except orjson.JSONDecodeError:
        return None
    return (given.get("new_string") or given.get("content")) if isinstance(given, dict) else None
