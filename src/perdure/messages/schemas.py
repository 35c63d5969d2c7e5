"""Messages as clients see them: the union of message types, and their parts."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from perdure.kit.clock import WIRE_TIME

MessageType = Literal[
    "system_message",
    "user_message",
    "assistant_message",
    "reasoning_message",
    "hidden_reasoning_message",
    "tool_call_message",
    "tool_return_message",
    "approval_request_message",
    "approval_response_message",
    "summary_message",
    "event_message",
]
WireTime = Annotated[datetime, WIRE_TIME]


class TextContent(BaseModel):
    """A text part."""

    type: Literal["text"] = "text"
    text: str
    signature: str | None = None


class UrlImage(BaseModel):
    """An image to be fetched."""

    type: Literal["url"] = "url"
    url: str


class Base64Image(BaseModel):
    """An image in the request itself."""

    type: Literal["base64"] = "base64"
    media_type: str
    data: str
    detail: str | None = None


class StoredImage(BaseModel):
    """An image the server keeps; comes back with its data."""

    type: Literal["letta"] = "letta"
    file_id: str
    media_type: str | None = None
    data: str | None = None
    detail: str | None = None


class ImageContent(BaseModel):
    """An image part."""

    type: Literal["image"] = "image"
    source: Annotated[UrlImage | Base64Image | StoredImage, Field(discriminator="type")]


ContentPart = Annotated[TextContent | ImageContent, Field(discriminator="type")]


class WireMessage(BaseModel):
    """What all messages have in common."""

    id: str
    date: WireTime
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    step_id: str | None = None
    is_err: bool | None = None
    seq_id: int | None = None
    run_id: str | None = None


class SystemMessage(WireMessage):
    """Instructions, not said by anybody."""

    message_type: Literal["system_message"] = "system_message"
    content: str


class UserMessage(WireMessage):
    """Said by a person."""

    message_type: Literal["user_message"] = "user_message"
    content: str | list[ContentPart]


class AssistantMessage(WireMessage):
    """Said by the agent."""

    message_type: Literal["assistant_message"] = "assistant_message"
    content: str | list[TextContent]


class ReasoningMessage(WireMessage):
    """Thought by the model."""

    message_type: Literal["reasoning_message"] = "reasoning_message"
    source: Literal["reasoner_model", "non_reasoner_model"] = "reasoner_model"
    reasoning: str
    signature: str | None = None


class HiddenReasoningMessage(WireMessage):
    """Thought by the model and kept from us."""

    message_type: Literal["hidden_reasoning_message"] = "hidden_reasoning_message"
    state: Literal["redacted", "omitted"]
    hidden_reasoning: str | None = None


class WireToolCall(BaseModel):
    """A whole tool call."""

    name: str
    arguments: str
    tool_call_id: str


class WireToolReturn(BaseModel):
    """What came of one tool call."""

    type: Literal["tool"] = "tool"
    tool_return: str | list[ContentPart]
    status: Literal["success", "error"]
    tool_call_id: str
    stdout: list[str] | None = None
    stderr: list[str] | None = None


class ToolCallMessage(WireMessage):
    """Tool calls; while tokens stream, both fields hold one piece of one call."""

    message_type: Literal["tool_call_message"] = "tool_call_message"
    tool_call: WireToolCall | dict[str, Any]
    tool_calls: list[WireToolCall] | dict[str, Any] | None = None


class ToolReturnMessage(WireMessage):
    """What tools returned; the single fields repeat the first of `tool_returns`."""

    message_type: Literal["tool_return_message"] = "tool_return_message"
    tool_return: str
    status: Literal["success", "error"]
    tool_call_id: str
    stdout: list[str] | None = None
    stderr: list[str] | None = None
    tool_returns: list[WireToolReturn] | None = None


class ApprovalRequestMessage(WireMessage):
    """Tool calls that wait for a person."""

    message_type: Literal["approval_request_message"] = "approval_request_message"
    tool_call: WireToolCall | dict[str, Any]
    tool_calls: list[WireToolCall] | dict[str, Any] | None = None


class CompactionStats(BaseModel):
    """How much a summary took the place of; messages are counted with the system message."""

    trigger: str
    context_tokens_before: int | None = None
    context_tokens_after: int | None = None
    context_window: int
    messages_count_before: int
    messages_count_after: int


class SummaryMessage(WireMessage):
    """What older messages said, in short."""

    message_type: Literal["summary_message"] = "summary_message"
    summary: str
    compaction_stats: CompactionStats | None = None


class ApprovalReply(BaseModel):
    """A person's word on one call."""

    type: Literal["approval"] = "approval"
    tool_call_id: str
    approve: bool
    reason: str | None = None


class ApprovalResponseMessage(WireMessage):
    """A person's words on calls that waited."""

    message_type: Literal["approval_response_message"] = "approval_response_message"
    approvals: list[Annotated[ApprovalReply | WireToolReturn, Field(discriminator="type")]] | None = None
    approve: bool | None = None
    approval_request_id: str | None = None
    reason: str | None = None


class EventMessage(WireMessage):
    """Something that happened to a conversation; told, never stored."""

    message_type: Literal["event_message"] = "event_message"
    event_type: Literal["compaction"]
    event_data: dict[str, Any]


LettaMessage = Annotated[
    SystemMessage
    | UserMessage
    | AssistantMessage
    | ReasoningMessage
    | HiddenReasoningMessage
    | ToolCallMessage
    | ToolReturnMessage
    | ApprovalRequestMessage
    | ApprovalResponseMessage
    | SummaryMessage
    | EventMessage,
    Field(discriminator="message_type"),
]
