"""Calls tools, wherever they live. Whatever goes wrong becomes a return that the model can read."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from perdure.content.parts import ToolCall, ToolReturn
from perdure.kit.errors import PerdureError
from perdure.kit.text import storable
from perdure.tools.arguments import check, read_arguments, stripped
from perdure.tools.base import BuiltinTool, Returned, ToolContext, ToolFailed
from perdure.tools.rules import CalledTool, ToolRules
from perdure.tools.store import ToolRow

log = logging.getLogger(__name__)

MAX_ERROR_CHARS = 1000
NO_RULES = ToolRules()

# Runs the tools of a kind, with arguments that fit their schema; what it raises is told to the model.
Executor = Callable[[ToolContext, ToolRow, Mapping[str, Any]], Awaitable[Returned]]


class Dispatcher:
    """Runs the calls of a model: checks rules and arguments, calls, makes the result a text."""

    def __init__(self, builtins: Iterable[BuiltinTool], executors: Mapping[str, Executor] | None = None):
        self._builtins = {builtin.name: builtin for builtin in builtins}
        self._executors = executors or {}

    def add(self, builtins: Iterable[BuiltinTool]) -> None:
        """Tools that work by what is made later than this."""
        self._builtins |= {builtin.name: builtin for builtin in builtins}

    @property
    def builtins(self) -> Sequence[BuiltinTool]:
        """The tools that are part of the server."""
        return tuple(self._builtins.values())

    def repeatable(self, tools: Iterable[ToolRow]) -> frozenset[str]:
        """The names of the tools that may be called again when nobody knows whether they ran.

        A tool of another kind than ours says so itself: `metadata_.repeatable` is true.
        """
        others = {tool.name: tool for tool in tools if tool.kind in self._executors}
        said = (name for name, tool in others.items() if (tool.metadata or {}).get("repeatable") is True)
        ours = (each.name for each in self._builtins.values() if each.repeatable and each.name not in others)
        return frozenset((*ours, *said))

    async def call_all(
        self,
        ctx: ToolContext,
        calls: Sequence[ToolCall],
        tools: Mapping[str, ToolRow],
        rules: ToolRules = NO_RULES,
        history: Sequence[CalledTool] = (),
    ) -> list[ToolReturn]:
        """The returns of one step's calls, in their order.

        Tools that are safe to run beside others run together, then the rest one by one. `tools` are
        the attached ones by name. Raises nothing but `CancelledError`.
        """
        together = [call for call in calls if self._is_parallel(call, tools, rules)]
        done: dict[int, ToolReturn] = {}
        async with asyncio.TaskGroup() as group:
            tasks = [
                (call, group.create_task(self._call(ctx, call, tools, rules, history))) for call in together
            ]
        done |= {id(call): task.result() for call, task in tasks}
        made = list(history)
        for call in calls:
            if id(call) not in done:
                done[id(call)] = await self._call(ctx, call, tools, rules, made)
            returned = done[id(call)]
            made.append(CalledTool(returned.name, returned.text, returned.status))
        return [done[id(call)] for call in calls]

    async def call(self, ctx: ToolContext, tool: ToolRow, call: ToolCall) -> ToolReturn:
        """One call, outside of any turn and of its rules."""
        return await self._call(ctx, call, {tool.name: tool}, NO_RULES, ())

    async def perform(self, ctx: ToolContext, tool: ToolRow, arguments: Mapping[str, Any]) -> Returned:
        """What a call from outside of any turn returned, as JSON, cut to the tool's limit.

        Raises `PerdureError` where it could not be made.
        """
        call = ToolCall("", tool.name, json.dumps(arguments))
        returned = await self._run(ctx, tool, call, NO_RULES, ())
        text = as_text(returned.value)
        if len(text) <= tool.return_char_limit:
            return returned
        return replace(returned, value=cut(text, tool.return_char_limit))

    def _is_parallel(self, call: ToolCall, tools: Mapping[str, ToolRow], rules: ToolRules) -> bool:
        return rules.parallel_allowed() and call.name in tools and tools[call.name].parallel

    async def _call(
        self,
        ctx: ToolContext,
        call: ToolCall,
        tools: Mapping[str, ToolRow],
        rules: ToolRules,
        history: Sequence[CalledTool],
    ) -> ToolReturn:
        if refusal := rules.refusal(call.name, list(tools), history):
            return ToolReturn(call.id, call.name, refusal, "error")
        tool = tools[call.name]
        try:
            returned = await self._run(ctx, tool, call, rules, history)
            text = cut(as_text(returned.value), tool.return_char_limit)
            return ToolReturn(call.id, call.name, text, returned.status, returned.stdout, returned.stderr)
        except Exception as error:
            if not isinstance(error, PerdureError):
                log.exception("The tool %s failed.", tool.name)
            return _failed(call, error, tool.return_char_limit)

    async def _run(
        self,
        ctx: ToolContext,
        tool: ToolRow,
        call: ToolCall,
        rules: ToolRules,
        history: Sequence[CalledTool],
    ) -> Returned:
        parameters, execute = self._executor(tool)
        given = stripped(read_arguments(call.arguments), parameters)
        arguments, faults = check(parameters, rules.prefill(tool.name, given, history, parameters))
        if faults:
            raise ToolFailed(f"{tool.name} was not run: {'; '.join(faults)}.")
        return await execute(replace(ctx, tool=tool.name), tool, arguments)

    def _executor(self, tool: ToolRow) -> tuple[Mapping[str, Any], Executor]:
        """The schema of a tool's arguments, and what runs it."""
        builtin = self._builtins.get(tool.name)
        if builtin and builtin.kind == tool.kind:
            return builtin.schema["parameters"], builtin.execute
        if executor := self._executors.get(tool.kind):
            return tool.parameters, executor
        raise ToolFailed(f"{tool.name} is a tool of type {tool.kind}, which this server cannot run.")


def as_text(value: Any) -> str:
    """What a tool returned as the text that is stored: strings as they are, the rest as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return "None"
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # whole numbers of more than 64 bits, halves of surrogate pairs
        return storable(json.dumps(value, default=str, ensure_ascii=False))


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of a text, and a note that tells both lengths."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… [the first {limit} of {len(text)} characters]"


def _failed(call: ToolCall, error: Exception, limit: int) -> ToolReturn:
    """What model and caller are told of a failure."""
    kind = type(error).__name__
    text = str(error) or kind
    line = f"Error executing function {call.name}: {kind}: {text}"[:MAX_ERROR_CHARS]
    return ToolReturn(call.id, call.name, cut(text, limit), "error", stderr=(line,))
