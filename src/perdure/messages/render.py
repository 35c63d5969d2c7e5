"""Stored messages as wire messages: pure.

One stored answer of a model becomes several wire messages that share its id: its reasoning, its
text, and one message with all its tool calls.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from perdure.content.parts import (
    Approval,
    Compaction,
    Image,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolReturn,
    calls_of,
    text_of,
)
from perdure.messages.schemas import (
    ApprovalReply,
    ApprovalRequestMessage,
    ApprovalResponseMessage,
    AssistantMessage,
    Base64Image,
    CompactionStats,
    ContentPart,
    HiddenReasoningMessage,
    ImageContent,
    LettaMessage,
    ReasoningMessage,
    StoredImage,
    SummaryMessage,
    SystemMessage,
    TextContent,
    ToolCallMessage,
    ToolReturnMessage,
    UrlImage,
    UserMessage,
    WireToolCall,
    WireToolReturn,
)
from perdure.messages.spoken import MessageTool, spoken_text
from perdure.messages.store import MessageRow


def render_all(
    rows: Iterable[MessageRow], *, message_tool: MessageTool | None = None, types: Sequence[str] | None = None
) -> list[LettaMessage]:
    """Wire messages of stored ones, in order; with `types`, only of these."""
    wire = [item for row in rows for item in render(row, message_tool)]
    return [item for item in wire if types is None or item.message_type in types]


def render(row: MessageRow, message_tool: MessageTool | None = None) -> list[LettaMessage]:
    """The wire messages of one stored message."""
    match row.role:
        case "system":
            return [SystemMessage(**_common(row), otid=row.otid, content=text_of(row.parts))]
        case "user":
            return [UserMessage(**_common(row), otid=row.otid, content=_content(row.parts))]
        case "summary":
            return [_summary(row)]
        case "tool":
            return _returns(row, message_tool)
        case "approval" if not calls_of(row.parts):
            return [_approvals(row)]
        case "assistant" | "approval":
            return _answer(row, message_tool)


def _summary(row: MessageRow) -> LettaMessage:
    counted = next((part for part in row.parts if isinstance(part, Compaction)), None)
    stats = CompactionStats(**asdict(counted)) if counted else None
    return SummaryMessage(**_common(row), otid=row.otid, summary=text_of(row.parts), compaction_stats=stats)


def _common(row: MessageRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "date": row.created_at,
        "name": row.name,
        "sender_id": row.sender_id,
        "step_id": row.step_id,
        "run_id": row.run_id,
        "is_err": row.is_err or None,
    }


def piece_otid(message_id: str, index: int) -> str:
    """The otid of the n-th wire message made of a stored one: its uuid, the low 7 bits the index."""
    number = uuid.UUID(message_id.split("-", 1)[1]).int
    return str(uuid.UUID(int=(number & ~0x7F) | (index & 0x7F)))


def _answer(row: MessageRow, message_tool: MessageTool | None) -> list[LettaMessage]:
    common = _common(row)
    wire: list[LettaMessage] = []
    for kind, group in _runs(row.parts):
        first = len(wire)
        piece: dict[str, Any] = {**common, "otid": piece_otid(row.id, first)}
        if kind is Reasoning:
            thoughts = [part for part in group if isinstance(part, Reasoning)]
            wire.extend(
                reasoning_message({**common, "otid": piece_otid(row.id, index)}, part)
                for index, part in enumerate(thoughts, first)
            )
        elif kind is Text:
            wire.append(AssistantMessage(**piece, content=text_of(group)))
        elif kind is ToolCall:
            calls = [part for part in group if isinstance(part, ToolCall)]
            wire.extend(_calls(row, piece, calls, message_tool))
    return wire


def _runs(parts: tuple[Part, ...]) -> list[tuple[type[Part], tuple[Part, ...]]]:
    """Adjacent parts of one kind together; all tool calls as one run at the end."""
    runs: list[tuple[type[Part], list[Part]]] = []
    for part in parts:
        if isinstance(part, ToolCall):
            continue
        if runs and runs[-1][0] is type(part):
            runs[-1][1].append(part)
        else:
            runs.append((type(part), [part]))
    calls: list[Part] = [part for part in parts if isinstance(part, ToolCall)]
    return [(kind, tuple(group)) for kind, group in [*runs, *([(ToolCall, calls)] if calls else [])]]


def reasoning_message(common: dict[str, Any], part: Reasoning) -> LettaMessage:
    """Thinking as clients see it; redacted thinking shows only that it was there."""
    if part.redacted:
        return HiddenReasoningMessage(**common, state="redacted", hidden_reasoning=part.signature)
    return ReasoningMessage(**common, reasoning=part.text, signature=part.signature)


def _calls(
    row: MessageRow, piece: dict[str, Any], calls: list[ToolCall], message_tool: MessageTool | None
) -> list[LettaMessage]:
    wire: list[LettaMessage] = []
    if message_tool:
        spoken = [call for call in calls if call.name == message_tool.name]
        calls = [call for call in calls if call.name != message_tool.name]
        wire.extend(AssistantMessage(**piece, content=spoken_text(call, message_tool)) for call in spoken)
    if calls:
        shown = [WireToolCall(name=c.name, arguments=c.arguments, tool_call_id=c.id) for c in calls]
        kind = ApprovalRequestMessage if row.role == "approval" else ToolCallMessage
        wire.append(kind(**piece, tool_call=shown[0], tool_calls=shown))
    return wire


def _approvals(row: MessageRow) -> LettaMessage:
    """A person's answer to a request; the older single fields repeat the first word of it."""
    words: list[ApprovalReply | WireToolReturn] = []
    for part in row.parts:
        if isinstance(part, Approval):
            words.append(ApprovalReply(tool_call_id=part.call_id, approve=part.approve, reason=part.reason))
        elif isinstance(part, ToolReturn):
            words.append(_wire_return(part))
    first = next((word for word in words if isinstance(word, ApprovalReply)), None)
    return ApprovalResponseMessage(
        **_common(row),
        otid=row.otid,
        approvals=words,
        approve=first.approve if first else None,
        reason=first.reason if first else None,
    )


def _wire_return(part: ToolReturn) -> WireToolReturn:
    return WireToolReturn(
        tool_return=part.text,
        status=part.status,
        tool_call_id=part.call_id,
        stdout=list(part.stdout) or None,
        stderr=list(part.stderr) or None,
    )


def _returns(row: MessageRow, message_tool: MessageTool | None) -> list[LettaMessage]:
    returned = [
        part
        for part in row.parts
        if isinstance(part, ToolReturn) and not (message_tool and part.name == message_tool.name)
    ]
    if not returned:
        return []
    shown = [_wire_return(part) for part in returned]
    first = shown[0]
    common = _common(row)
    common["name"] = row.name or returned[0].name
    return [
        ToolReturnMessage(
            **common,
            otid=row.otid or piece_otid(row.id, 0),
            tool_return=returned[0].text,
            status=first.status,
            tool_call_id=first.tool_call_id,
            stdout=first.stdout,
            stderr=first.stderr,
            tool_returns=shown,
        )
    ]


def _content(parts: tuple[Part, ...]) -> str | list[ContentPart]:
    """A plain string when there is only one text, else parts."""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    shown: list[ContentPart] = []
    for part in parts:
        if isinstance(part, Text):
            shown.append(TextContent(text=part.text))
        elif isinstance(part, Image):
            shown.append(ImageContent(source=_source(part)))
    return shown


def _source(image: Image) -> UrlImage | Base64Image | StoredImage:
    if image.url is not None:
        return UrlImage(url=image.url)
    media_type = image.media_type or "application/octet-stream"
    return Base64Image(media_type=media_type, data=image.data or "", detail=image.detail)
