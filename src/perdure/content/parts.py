"""Parts of a message: text, reasoning, images, tool calls and what tools returned."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant", "tool", "approval", "summary"]


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A model's thinking. `signature` proves it to the vendor that made it (`vendor`), to no other.

    `redacted` thinking has no readable text; its signature holds the encrypted form.
    """

    text: str
    signature: str | None = None
    redacted: bool = False
    vendor: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: base64 `data` with its media type, or a `url`."""

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    detail: str | None = None
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool; `arguments` is the model's own JSON text, unchanged."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolReturn:
    """What came of a tool call. `text` is what the model and the wire show."""

    call_id: str
    name: str
    text: str
    status: Literal["success", "error"] = "success"
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word on a call that waited for it."""

    call_id: str
    approve: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a summary took the place of: counts for people, nothing that a model is told."""

    trigger: str
    context_window: int
    messages_count_before: int
    messages_count_after: int
    context_tokens_before: int | None = None
    context_tokens_after: int | None = None


Part = Text | Reasoning | Image | ToolCall | ToolReturn | Approval | Compaction


@dataclass(frozen=True, slots=True)
class Message:
    """Who said what: the form a model request carries."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None


def text_of(parts: tuple[Part, ...]) -> str:
    """All the text of some parts, joined."""
    return "".join(part.text for part in parts if isinstance(part, Text))


def calls_of(parts: tuple[Part, ...]) -> tuple[ToolCall, ...]:
    """The tool calls among some parts, in order."""
    return tuple(part for part in parts if isinstance(part, ToolCall))


def returns_of(parts: tuple[Part, ...]) -> tuple[ToolReturn, ...]:
    """The tool returns among some parts, in order."""
    return tuple(part for part in parts if isinstance(part, ToolReturn))
