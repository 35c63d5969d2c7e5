"""A request in Anthropic's messages format. Pure; the answer is read by `anthropic_answer.py`."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from perdure.content.parts import (
    Approval,
    Compaction,
    Image,
    Message,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolReturn,
)
from perdure.providers.base import ModelRequest, ToolSpec
from perdure.providers.vendors.calls import arguments_of, plain_id
from perdure.providers.vendors.claude import BUDGETS, EFFORTS, Claude, claude
from perdure.providers.vendors.strict import strict_schema

VENDOR = "anthropic"
CACHED = {"type": "ephemeral"}
CACHEABLE = ("text", "image", "tool_result", "tool_use")


def to_wire(request: ModelRequest, vendor: str = VENDOR) -> dict[str, Any]:
    """The body of the call, with cache points after the tools, the system prompt and the last message."""
    model = claude(request.model)
    thinking = _thinking(request, model, vendor)
    wire: dict[str, Any] = {"model": request.model, "messages": _messages(request.messages, vendor)}
    wire["stream"] = True
    wire["max_tokens"] = _max_tokens(request, model, thinking)
    if request.system:
        wire["system"] = [{"type": "text", "text": request.system, "cache_control": CACHED}]
    if request.tools and request.tool_choice.mode != "none":
        wire["tools"] = [_tool(tool) for tool in request.tools]
        wire["tools"][-1]["cache_control"] = CACHED
        wire["tool_choice"] = _tool_choice(request)
    if thinking:
        wire["thinking"] = thinking
    elif request.temperature is not None and model.samples:
        wire["temperature"] = min(request.temperature, 1.0)
    if output := _output(request, model, thinking):
        wire["output_config"] = output
    _cache_last(wire["messages"])
    return wire | dict(request.extra)


def _thinking(request: ModelRequest, model: Claude, vendor: str) -> dict[str, Any]:
    """How the model is told to think; not at all where the API would refuse it."""
    effort, budget = request.reasoning_effort, request.thinking_budget
    wanted = budget or (effort and effort != "none")
    forced = request.tool_choice.mode in ("required", "named")
    if not wanted or not model.thinks or forced or not _may_think(request.messages, vendor):
        return {}
    if model.adaptive and not (budget and model.budget):
        return {"type": "adaptive", "display": "summarized"}
    return {"type": "enabled", "budget_tokens": budget or BUDGETS.get(effort or "", 8192)}


def _may_think(messages: Iterable[Message], vendor: str) -> bool:
    """Whether the open turn's tool calls carry the thinking that the API asks of them."""
    allowed = True
    for message in messages:
        if any(isinstance(part, Text | Image) for part in message.parts) and message.role == "user":
            allowed = True
        elif any(isinstance(part, ToolCall) for part in message.parts):
            allowed = any(_ours(part, vendor) for part in message.parts)
    return allowed


def _max_tokens(request: ModelRequest, model: Claude, thinking: Mapping[str, Any]) -> int:
    tokens, budget = request.max_output_tokens or model.max_tokens, thinking.get("budget_tokens", 0)
    return tokens if tokens > budget else tokens + budget


def _output(request: ModelRequest, model: Claude, thinking: Mapping[str, Any]) -> dict[str, Any]:
    output: dict[str, Any] = {}
    effort = request.reasoning_effort
    if effort and model.effort and (thinking or effort != "none"):
        output["effort"] = EFFORTS.get(effort, effort) if model.adaptive else _old_effort(effort)
    form = request.response_format or {}
    if form.get("type") == "json_schema":
        schema: dict[str, Any] = form["json_schema"]["schema"]
        output["format"] = {"type": "json_schema", "schema": strict_schema(schema) or schema}
    return output


def _old_effort(effort: str) -> str:
    return effort if effort in ("low", "medium") else "high"


def _tool(tool: ToolSpec) -> dict[str, Any]:
    closed = strict_schema(tool.parameters) if tool.strict else None
    schema = {"type": "object", **(closed or tool.parameters)}
    wire = {"name": tool.name, "description": tool.description, "input_schema": schema}
    return wire | ({"strict": True} if closed else {})


def _tool_choice(request: ModelRequest) -> dict[str, Any]:
    modes = {"auto": "auto", "required": "any", "named": "tool"}
    choice: dict[str, Any] = {"type": modes[request.tool_choice.mode]}
    if request.tool_choice.mode == "named":
        choice["name"] = request.tool_choice.name
    return choice if request.parallel_tool_calls else choice | {"disable_parallel_tool_use": True}


def _messages(messages: Iterable[Message], vendor: str) -> list[dict[str, Any]]:
    """Turns of user and assistant by turns, the user's first, tool results at the start of theirs."""
    wire: list[dict[str, Any]] = []
    for message in messages:
        calls = any(isinstance(part, ToolCall) for part in message.parts)
        role = "assistant" if message.role == "assistant" or calls else "user"
        blocks = [block for part in message.parts if (block := _block(part, vendor))]
        if not blocks:
            continue
        if wire and wire[-1]["role"] == role:
            wire[-1]["content"] += blocks
        else:
            wire.append({"role": role, "content": blocks})
    for turn in wire:
        turn["content"].sort(key=_comes_later)
    if not wire or wire[0]["role"] == "assistant":
        wire.insert(0, {"role": "user", "content": [{"type": "text", "text": "(The conversation goes on.)"}]})
    return wire


def _comes_later(block: Mapping[str, Any]) -> bool:
    return block["type"] != "tool_result"


def _block(part: Part, vendor: str) -> dict[str, Any] | None:
    match part:
        case Text():
            return {"type": "text", "text": part.text} if part.text.strip() else None
        case Reasoning():
            return _thought(part) if _ours(part, vendor) else None
        case Image():
            return {"type": "image", "source": _source(part)}
        case ToolCall():
            given = orjson.Fragment(arguments_of(part))
            return {"type": "tool_use", "id": plain_id(part.id), "name": part.name, "input": given}
        case ToolReturn():
            result: dict[str, Any] = {
                "type": "tool_result",
                "tool_use_id": plain_id(part.call_id),
                "content": part.text,
            }
            return result | ({"is_error": True} if part.status == "error" else {})
        case Approval() | Compaction():
            return None  # not for models: what came of an approval is told in the call's return


def _ours(part: Part, vendor: str) -> bool:
    return isinstance(part, Reasoning) and part.signature is not None and part.vendor == vendor


def _thought(part: Reasoning) -> dict[str, Any]:
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.signature}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _source(image: Image) -> dict[str, Any]:
    if image.url:
        return {"type": "url", "url": image.url}
    return {"type": "base64", "media_type": image.media_type or "image/png", "data": image.data}


def _cache_last(messages: list[dict[str, Any]]) -> None:
    block = messages[-1]["content"][-1]
    if block["type"] in CACHEABLE:
        block["cache_control"] = CACHED
