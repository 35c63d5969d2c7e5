"""Words said through a tool: older agent types speak by calling one. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from perdure.content.parts import Part, ToolCall, calls_of, returns_of, text_of
from perdure.kit.text import storable


@dataclass(frozen=True, slots=True)
class MessageTool:
    """The tool whose calls are shown as assistant messages, its returns hidden (older agent types)."""

    name: str = "send_message"
    argument: str = "message"


def spoken_text(call: ToolCall, message_tool: MessageTool) -> str:
    """What a call of the message tool says; the raw arguments if they make no sense."""
    try:
        return storable(str(json.loads(call.arguments)[message_tool.argument]))
    except (ValueError, KeyError, TypeError):
        return call.arguments


def searchable(parts: Sequence[Part]) -> str:
    """The words of a message: its text, what it says through the message tool, what tools returned."""
    tool = MessageTool()
    spoken = (spoken_text(call, tool) for call in calls_of(tuple(parts)) if call.name == tool.name)
    returned = (part.text for part in returns_of(tuple(parts)) if part.name != tool.name)
    return "\n".join(words for words in (text_of(tuple(parts)), *spoken, *returned) if words)
