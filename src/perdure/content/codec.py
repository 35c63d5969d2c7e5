"""The stored form of parts: a JSON list of objects, each with its `type`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from perdure.content.parts import Approval, Compaction, Image, Part, Reasoning, Text, ToolCall, ToolReturn

TYPES: Mapping[str, type[Part]] = {
    "text": Text,
    "reasoning": Reasoning,
    "image": Image,
    "tool_call": ToolCall,
    "tool_return": ToolReturn,
    "approval": Approval,
    "compaction": Compaction,
}
NAMES = {kind: name for name, kind in TYPES.items()}
DEFAULTS = {
    kind: {
        field.name: field.default
        for field in kind.__dataclass_fields__.values()
        if field.default is not field.default_factory
    }
    for kind in NAMES
}


def to_json(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Parts as plain JSON values; fields at their default are left out."""
    return [_encode(part) for part in parts]


def _encode(part: Part) -> dict[str, Any]:
    kind = type(part)
    defaults = DEFAULTS[kind]
    stored: dict[str, Any] = {"type": NAMES[kind]}
    for name in kind.__dataclass_fields__:
        value = getattr(part, name)
        if name not in defaults or defaults[name] != value:
            stored[name] = value
    return stored


def from_json(stored: Sequence[Mapping[str, Any]]) -> tuple[Part, ...]:
    """The parts again; the inverse of `to_json`."""
    return tuple(_decode(dict(item)) for item in stored)


def _decode(item: dict[str, Any]) -> Part:
    kind = TYPES[item.pop("type")]
    if kind is ToolReturn:
        for stream in ("stdout", "stderr"):
            item[stream] = tuple(item.get(stream, ()))
    return kind(**item)
