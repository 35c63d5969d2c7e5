"""A request in the chat-completions format. Pure; the answer is read by `chat_answer.py`."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from perdure.content.parts import Image, Message, Part, Reasoning, Text, ToolCall, ToolReturn, text_of
from perdure.providers.base import ModelRequest, ToolSpec
from perdure.providers.vendors.calls import arguments_of
from perdure.providers.vendors.compatible import Dialect, reasons
from perdure.providers.vendors.strict import strict_schema

REASONING_FIELDS = ("reasoning_content", "reasoning")
DETAILS = "reasoning_details"


def to_wire(request: ModelRequest, vendor: str, dialect: Dialect) -> dict[str, Any]:
    """The body of the call."""
    wire: dict[str, Any] = {"model": request.model, "messages": _messages(request, vendor, dialect)}
    wire["stream"] = True
    if dialect.usage_asked:
        wire["stream_options"] = {"include_usage": True}
    if request.tools:
        wire["tools"] = [_tool(tool, dialect) for tool in request.tools]
        if dialect.parallel:
            wire["parallel_tool_calls"] = request.parallel_tool_calls
        if request.tool_choice.mode != "auto":
            wire["tool_choice"] = _tool_choice(request)
    if request.max_output_tokens is not None:
        wire[dialect.max_tokens] = request.max_output_tokens
    if request.temperature is not None and (dialect.samples or not reasons(request.model)):
        wire["temperature"] = request.temperature
    if request.response_format and request.response_format.get("type") != "text":
        wire["response_format"] = dict(request.response_format)
    return wire | _reasoning(request, vendor, dialect) | dict(request.extra)


def _reasoning(request: ModelRequest, vendor: str, dialect: Dialect) -> dict[str, Any]:
    effort, budget = request.reasoning_effort, request.thinking_budget
    if vendor == "openrouter" and (effort or budget):
        return {"reasoning": {"max_tokens": budget} if budget else {"effort": effort}}
    return {"reasoning_effort": effort} if effort and dialect.takes_effort(request.model) else {}


def _tool(tool: ToolSpec, dialect: Dialect) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description}
    closed = strict_schema(tool.parameters) if tool.strict and dialect.strict else None
    function["parameters"] = closed or tool.parameters
    if closed:
        function["strict"] = True
    return {"type": "function", "function": function}


def _tool_choice(request: ModelRequest) -> Any:
    if request.tool_choice.mode == "named":
        return {"type": "function", "function": {"name": request.tool_choice.name}}
    return request.tool_choice.mode


def _messages(request: ModelRequest, vendor: str, dialect: Dialect) -> list[dict[str, Any]]:
    wire: list[dict[str, Any]] = []
    if request.system:
        wire.append({"role": "system", "content": request.system})
    for message in request.messages:
        wire += _message(message, vendor, dialect)
    return wire


def _message(message: Message, vendor: str, dialect: Dialect) -> list[dict[str, Any]]:
    spoken = [part for part in message.parts if not isinstance(part, ToolReturn)]
    wire: list[dict[str, Any]] = [
        {"role": "tool", "tool_call_id": _call_id(part.call_id, dialect), "content": part.text}
        for part in message.parts
        if isinstance(part, ToolReturn)
    ]
    if message.role == "assistant" or any(isinstance(part, ToolCall) for part in spoken):
        said = _assistant(message.parts, vendor, dialect)
        return [said, *wire] if said else wire
    role = "system" if message.role == "system" and dialect.system_anywhere else "user"
    content = _content(spoken)
    return [*wire, {"role": role, "content": content}] if content else wire


def _assistant(parts: tuple[Part, ...], vendor: str, dialect: Dialect) -> dict[str, Any] | None:
    calls = [
        {
            "id": _call_id(part.id, dialect),
            "type": "function",
            "function": {"name": part.name, "arguments": arguments_of(part)},
        }
        for part in parts
        if isinstance(part, ToolCall)
    ]
    text = text_of(parts)
    if not text and not calls:
        return None
    wire: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        wire["tool_calls"] = calls
    if dialect.thinking_back:
        wire |= _thinking(parts, vendor)
        if calls and dialect.thinking_back == "always":
            wire.setdefault(REASONING_FIELDS[0], "")
    return wire


def _thinking(parts: Iterable[Part], vendor: str) -> dict[str, Any]:
    """Our own reasoning, in the field the server used for it."""
    wire: dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, Reasoning) or part.vendor not in (None, vendor) or part.id is None:
            continue
        name, _, kind = part.id.partition(":")
        if name in REASONING_FIELDS:
            wire[name] = wire.get(name, "") + part.text
        elif name == DETAILS:
            wire.setdefault(DETAILS, []).append(_detail(part, kind))
    return wire


def _detail(part: Reasoning, kind: str) -> Mapping[str, Any]:
    """One of OpenRouter's `reasoning_details`; `kind` is its type and, after a bar, its format."""
    type_, _, form = kind.partition("|")
    shaped: dict[str, Any] = {"type": type_}
    if type_ == "reasoning.encrypted":
        shaped["data"] = part.signature
    elif type_ == "reasoning.summary":
        shaped["summary"] = part.text
    else:
        shaped |= {"text": part.text, "signature": part.signature}
    return shaped | ({"format": form} if form else {})


def _content(parts: Iterable[Part]) -> str | list[dict[str, Any]]:
    chosen = [part for part in parts if isinstance(part, Text | Image)]
    texts = [part.text for part in chosen if isinstance(part, Text)]
    if len(texts) == len(chosen):
        return "\n".join(texts)
    return [_piece(part) for part in chosen]


def _piece(part: Text | Image) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    image = {"url": part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"}
    return {"type": "image_url", "image_url": image | ({"detail": part.detail} if part.detail else {})}


def _call_id(id: str, dialect: Dialect) -> str:
    """Mistral takes nine letters and digits only; the same id always becomes the same nine."""
    if not dialect.short_call_ids or (len(id) == 9 and id.isalnum()):
        return id
    return hashlib.sha256(id.encode()).hexdigest()[:9]
