"""A request in OpenAI's Responses format. Pure; the answer is read by `responses_answer.py`.

Nothing is stored at the vendor: reasoning comes encrypted, is kept with the message, and goes back.
"""

from collections.abc import Iterable
from typing import Any

from perdure.content.parts import Image, Message, Part, Reasoning, Text, ToolCall, ToolReturn
from perdure.providers.base import ModelRequest, ToolSpec
from perdure.providers.vendors.calls import arguments_of
from perdure.providers.vendors.compatible import reasons
from perdure.providers.vendors.strict import strict_schema


def to_wire(request: ModelRequest, vendor: str) -> dict[str, Any]:
    """The body of the call."""
    wire: dict[str, Any] = {"model": request.model, "input": _input(request.messages, vendor)}
    wire |= {"stream": True, "store": False, "include": ["reasoning.encrypted_content"]}
    if request.system:
        wire["instructions"] = request.system
    if request.tools:
        wire["tools"] = [_tool(tool) for tool in request.tools]
        wire["parallel_tool_calls"] = request.parallel_tool_calls
        wire["tool_choice"] = _tool_choice(request)
    if request.max_output_tokens is not None:
        wire["max_output_tokens"] = request.max_output_tokens
    if reasons(request.model):
        wire["reasoning"] = _reasoning(request.reasoning_effort)
    elif request.temperature is not None:
        wire["temperature"] = request.temperature
    if form := _format(request):
        wire["text"] = {"format": form}
    return wire | dict(request.extra)


def _reasoning(effort: str | None) -> dict[str, Any]:
    if effort == "none":
        return {"effort": effort}
    return {"summary": "detailed"} | ({"effort": effort} if effort else {})


def _tool(tool: ToolSpec) -> dict[str, Any]:
    closed = strict_schema(tool.parameters) if tool.strict else None
    wire = {"type": "function", "name": tool.name, "description": tool.description}
    return wire | {"parameters": closed or tool.parameters, "strict": closed is not None}


def _tool_choice(request: ModelRequest) -> Any:
    if request.tool_choice.mode == "named":
        return {"type": "function", "name": request.tool_choice.name}
    return request.tool_choice.mode


def _format(request: ModelRequest) -> dict[str, Any] | None:
    form = request.response_format or {}
    match form.get("type"):
        case "json_schema":
            return {"type": "json_schema", "name": "answer", **form["json_schema"]}
        case "json_object":
            return {"type": "json_object"}
        case _:
            return None


def _input(messages: Iterable[Message], vendor: str) -> list[dict[str, Any]]:
    wire: list[dict[str, Any]] = []
    for message in messages:
        spoken = [part for part in message.parts if isinstance(part, Text | Image)]
        if message.role == "assistant" or any(isinstance(part, ToolCall) for part in message.parts):
            wire += _assistant(message.parts, vendor)
            spoken = []
        wire += [
            {"type": "function_call_output", "call_id": part.call_id, "output": part.text}
            for part in message.parts
            if isinstance(part, ToolReturn)
        ]
        if spoken:
            role = "system" if message.role == "system" else "user"
            wire.append({"role": role, "content": [_piece(part) for part in spoken]})
    return wire


def _assistant(parts: Iterable[Part], vendor: str) -> list[dict[str, Any]]:
    """What the model said. Reasoning that nothing follows is left out: the API refuses it alone."""
    wire: list[dict[str, Any]] = []
    thoughts: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case Reasoning() if part.vendor == vendor and part.signature:
                thoughts.append(_thought(part))
            case Text() if part.text:
                content = [{"type": "output_text", "text": part.text}]
                wire += [*thoughts, {"role": "assistant", "content": content}]
                thoughts = []
            case ToolCall():
                names = {"call_id": part.id, "name": part.name, "arguments": arguments_of(part)}
                wire += [*thoughts, {"type": "function_call", **names}]
                thoughts = []
            case _:
                pass
    return wire


def _thought(part: Reasoning) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    wire = {"type": "reasoning", "summary": summary, "encrypted_content": part.signature}
    return wire | ({"id": part.id} if part.id else {})


def _piece(part: Text | Image) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    url = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
    return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
