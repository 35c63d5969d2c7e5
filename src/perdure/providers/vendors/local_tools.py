"""Tool calls for models that cannot make them: a JSON schema leaves only a call or an answer. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import orjson

from perdure.content.parts import Message, Part, Text, ToolCall, ToolReturn
from perdure.providers.base import (
    Finish,
    ModelEvent,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolChoice,
    ToolSpec,
)

SAYING = re.compile(r'\s*\{\s*"say"\s*:\s*"')
HALF_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{0,3})?$|\\u[dD][89abAB][0-9a-fA-F]{2}(\\(u[0-9a-fA-F]{0,3})?)?$")
GUIDE = """

You answer with one JSON object. To speak: {"say": "your words"}. To use a tool: \
{"tool": "its name", "arguments": {…}}. The tools:
"""


def with_schema(request: ModelRequest) -> ModelRequest:
    """The same request without tools: they are told in words, and the schema allows nothing else."""
    offered = [tool for tool in request.tools if request.tool_choice.name in (None, tool.name)]
    forms = [_call_form(tool) for tool in offered]
    if request.tool_choice.mode == "auto":
        forms.append(_form({"say": {"type": "string"}}))
    told = "\n".join(_told(tool) for tool in offered)
    return replace(
        request,
        system=request.system + GUIDE + told,
        messages=tuple(_plain(message) for message in request.messages),
        tools=(),
        tool_choice=ToolChoice(),
        response_format={"type": "json_schema", "json_schema": {"name": "step", "schema": {"anyOf": forms}}},
    )


def _call_form(tool: ToolSpec) -> dict[str, Any]:
    return _form({"tool": {"const": tool.name}, "arguments": {"type": "object", **tool.parameters}})


def _form(properties: dict[str, Any]) -> dict[str, Any]:
    shape = {"type": "object", "properties": properties, "required": list(properties)}
    return shape | {"additionalProperties": False}


def _told(tool: ToolSpec) -> str:
    parameters = orjson.dumps(tool.parameters.get("properties", {})).decode()
    return f"- {tool.name}: {tool.description} Arguments: {parameters}"


def _plain(message: Message) -> Message:
    """A message in the words of the schema; a tool's return is the user's to tell."""
    role = "user" if message.role == "tool" else message.role
    return replace(message, role=role, parts=tuple(map(_spelled, message.parts)))


def _spelled(part: Part) -> Part:
    match part:
        case ToolCall():
            return Text(
                f'{{"tool": {orjson.dumps(part.name).decode()}, "arguments": {part.arguments or "{}"}}}'
            )
        case ToolReturn():
            return Text(f"[{part.name} returned] {part.text}")
        case _:
            return part


@dataclass(slots=True)
class Steered:
    """Reads the object the schema forced, giving its words as they come and its call when it is whole."""

    _text: str = ""
    _said: int = 0

    def read(self, event: ModelEvent) -> Iterator[ModelEvent]:
        """Our events for one of the model's."""
        match event:
            case TextDelta(text):
                self._text += text
                yield from self._words()
            case Finish():
                yield from self._end(event)
            case _:
                yield event

    def _words(self) -> Iterator[ModelEvent]:
        begun = SAYING.match(self._text)
        if begun is None:
            return
        words = string_so_far(self._text[begun.end() :])
        if len(words) > self._said:
            yield TextDelta(words[self._said :])
            self._said = len(words)

    def _end(self, finish: Finish) -> Iterator[ModelEvent]:
        try:
            value: dict[str, Any] = orjson.loads(self._text)
        except orjson.JSONDecodeError:
            value = {}
        if "tool" not in value:
            yield finish
            return
        yield ToolCallStart(0, f"call_{uuid4().hex}", value["tool"])
        yield ToolCallDelta(0, orjson.dumps(value["arguments"]).decode())
        yield replace(finish, reason="tool_calls")


def string_so_far(raw: str) -> str:
    """The decoded beginning of a JSON string that may not be whole yet; half an escape waits."""
    end = re.match(r'(?:[^"\\]|\\.)*', raw, re.DOTALL)
    body = raw[: end.end()] if end else ""
    if len(body) == len(raw) or raw[len(body)] != '"':
        body = HALF_ESCAPE.sub("", body)
    try:
        return orjson.loads(f'"{body}"')
    except orjson.JSONDecodeError:
        return ""
