"""Our model request in pydantic-ai's types. Pure; import it only with `bridge`."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any, cast

from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.messages import ModelRequest as TheirRequest
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from perdure.content.parts import Image, Message, Part, Reasoning, Text, ToolCall, ToolReturn
from perdure.providers.base import ModelRequest, ToolSpec
from perdure.providers.vendors.calls import arguments_of, plain_id

EFFORTS = {"none": False, "max": "xhigh"}


def history(request: ModelRequest, vendor: str, system: str) -> list[ModelMessage]:
    """The conversation; `system` is pydantic-ai's name for the vendor, which its signatures carry."""
    messages: list[ModelMessage] = (
        [TheirRequest(parts=[SystemPromptPart(request.system)])] if request.system else []
    )
    for message in request.messages:
        if message.role == "assistant" or any(isinstance(part, ToolCall) for part in message.parts):
            said = list(_said(message.parts, vendor, system))
            if said:
                messages.append(ModelResponse(parts=said, provider_name=system))
            continue
        heard = _heard(message)
        if heard.parts:
            messages.append(heard)
    return messages


def parameters(request: ModelRequest) -> ModelRequestParameters:
    """Tools, which may be left out of this call, and the form of the answer."""
    tools = [] if request.tool_choice.mode == "none" else [_tool(tool) for tool in request.tools]
    form = request.response_format or {}
    if form.get("type") != "json_schema":
        return ModelRequestParameters(function_tools=tools, allow_text_output=True)
    shape: dict[str, Any] = form["json_schema"]
    output = OutputObjectDefinition(json_schema=shape["schema"], name=shape.get("name"))
    return ModelRequestParameters(function_tools=tools, output_mode="native", output_object=output)


def settings(request: ModelRequest) -> ModelSettings:
    """The settings that were named; trying again is ours, so the SDK must not.

    Neither Google nor Bedrock can be told to make one tool call at a time, so that is not said.
    """
    made: dict[str, Any] = {"max_retries": 0, **request.extra}
    if request.max_output_tokens is not None:
        made["max_tokens"] = request.max_output_tokens
    if request.temperature is not None:
        made["temperature"] = request.temperature
    if request.reasoning_effort and not request.thinking_budget:
        made["thinking"] = EFFORTS.get(request.reasoning_effort, request.reasoning_effort)
    if request.tools and request.tool_choice.mode in ("required", "named"):
        name = request.tool_choice.name
        made["tool_choice"] = [name] if name else "required"
    return cast("ModelSettings", made)


def _tool(tool: ToolSpec) -> ToolDefinition:
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=dict(tool.parameters),
        strict=tool.strict,
    )


def _said(parts: Iterable[Part], vendor: str, system: str) -> Iterable[ModelResponsePart]:
    for part in parts:
        match part:
            case Text() if part.text:
                yield TextPart(part.text)
            case Reasoning() if part.vendor == vendor and part.signature:
                yield ThinkingPart(part.text, id=part.id, signature=part.signature, provider_name=system)
            case ToolCall():
                yield ToolCallPart(part.name, arguments_of(part), plain_id(part.id))
            case _:
                pass


def _heard(message: Message) -> TheirRequest:
    returns = [
        ToolReturnPart(
            tool_name=part.name,
            content=part.text,
            tool_call_id=plain_id(part.call_id),
            outcome="failed" if part.status == "error" else "success",
        )
        for part in message.parts
        if isinstance(part, ToolReturn)
    ]
    content = _content(message.parts)
    return TheirRequest(parts=[*returns, *([UserPromptPart(content)] if content else [])])


def _content(parts: Iterable[Part]) -> Sequence[UserContent]:
    content: list[UserContent] = []
    for part in parts:
        match part:
            case Text() if part.text:
                content.append(part.text)
            case Image(url=str(url)):
                content.append(ImageUrl(url))
            case Image(data=str(data)):
                content.append(
                    BinaryContent(base64.b64decode(data), media_type=part.media_type or "image/png")
                )
            case _:
                pass
    return content
