"""OpenAI's rules of a chat-completions body, and those of the servers that read arguments as JSON."""

from collections.abc import Iterator
from typing import Any

import orjson

from perdure.testing.oracle.pairs import Pairs

ROLES = ("system", "developer", "user", "assistant", "tool")


def refusal(body: dict[str, Any]) -> str | None:
    """Why the body would be refused; None when it would not."""
    return next(_faults(body), None)


def _faults(body: dict[str, Any]) -> Iterator[str]:
    if not body["messages"]:
        yield "messages is empty"
    yield from tool_faults(body, [tool.get("function", tool).get("name") for tool in body.get("tools", ())])
    pairs = Pairs()
    for number, message in enumerate(body["messages"]):
        place, role = f"messages[{number}]", message["role"]
        if role not in ROLES:
            yield f"{place}: no such role: {role}"
        elif role == "tool":
            yield from pairs.answer([message["tool_call_id"]])
        else:
            yield from pairs.go_on()
        yield from _content_faults(message, place)
        yield from pairs.ask(call["id"] for call in message.get("tool_calls") or ())
    yield from pairs.go_on()


def _content_faults(message: dict[str, Any], place: str) -> Iterator[str]:
    calls = message.get("tool_calls")
    if "tool_calls" in message and not calls:
        yield f"{place}: tool_calls is empty"
    if not message.get("content") and not (message["role"] == "assistant" and calls):
        yield f"{place}: a {message['role']} message without content"
    for call in calls or ():
        yield from argument_faults(call["function"]["arguments"], place)


def argument_faults(arguments: Any, place: str) -> Iterator[str]:
    """vLLM, llama.cpp and Ollama read the arguments of earlier calls, and refuse what is no JSON object."""
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        yield f"{place}: arguments are not JSON: {arguments!r}"
    else:
        if not isinstance(value, dict):
            yield f"{place}: arguments are no object: {arguments!r}"


def tool_faults(body: dict[str, Any], names: list[str]) -> Iterator[str]:
    """Tools by name, each once; a choice or parallel calls only where there are any."""
    if "tools" in body and not names:
        yield "tools is empty"
    if len(set(names)) != len(names):
        yield f"tools: names come twice: {names}"
    if not names and (choice := body.keys() & {"tool_choice", "parallel_tool_calls"}):
        yield f"{sorted(choice)} without tools"
    chosen = body.get("tool_choice")
    if isinstance(chosen, dict):
        name = chosen.get("name") or chosen.get("function", {}).get("name")  # pyright: ignore[reportUnknownVariableType]
        if name and name not in names:
            yield f"tool_choice: there is no tool {name!r}"
