"""What a server says of its tools, and which of our tools they become. Pure."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import orjson

MAX_NAME = 64
Status = Literal["STRICT_COMPLIANT", "NON_STRICT_ONLY", "INVALID"]
# What strict function calling of vendors does not take.
NOT_STRICT = ("allOf", "oneOf", "not", "if", "patternProperties", "dependentSchemas", "prefixItems")


@dataclass(frozen=True, slots=True)
class RemoteTool:
    """A tool as its server describes it. `wire` is all it said, for those who want to see it."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    wire: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def digest(self) -> str:
        """Differs when the tool means something else to a model."""
        facts = [self.name, self.description, self.parameters]
        return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()

    @property
    def harmless(self) -> bool:
        """Whether its server says that a second call changes nothing."""
        hints: Any = self.wire.get("annotations") or {}
        return hints.get("readOnlyHint") is True or hints.get("idempotentHint") is True


@dataclass(frozen=True, slots=True)
class SchemaHealth:
    """What can be done with a tool's schema, and why not more."""

    status: Status
    reasons: Sequence[str] = ()


def local_name(server: str, remote: str, taken: Collection[str]) -> str:
    """What we call a tool: its own name; with the server's before it where another tool has that name."""
    plain = _spelled(remote)
    if plain not in taken:
        return plain
    full = _spelled(f"{server}__{remote}")
    number = 2
    chosen = full
    while chosen in taken:
        ending = f"_{number}"
        chosen, number = full[: MAX_NAME - len(ending)] + ending, number + 1
    return chosen


def _spelled(name: str) -> str:
    """A name as all vendors take it; a long one ends in a digest, so that two stay two."""
    spelled = re.sub(r"[^a-zA-Z0-9_-]", "_", name) or "_"
    if len(spelled) <= MAX_NAME:
        return spelled
    return spelled[: MAX_NAME - 9] + "_" + hashlib.sha256(name.encode()).hexdigest()[:8]


def schema_health(parameters: Mapping[str, Any]) -> SchemaHealth:
    """Whether a schema can be a tool's at all, and whether strict function calling takes it."""
    if faults := _faults(parameters):
        return SchemaHealth("INVALID", faults)
    reasons = list(dict.fromkeys(_loose(parameters, "the arguments", 0)))
    return SchemaHealth("NON_STRICT_ONLY", reasons) if reasons else SchemaHealth("STRICT_COMPLIANT")


def is_usable(tool: RemoteTool) -> bool:
    """Whether a model could be given the tool at all."""
    return not _faults(tool.parameters)


def _faults(parameters: Mapping[str, Any]) -> list[str]:
    faults: list[str] = []
    properties: Any = parameters.get("properties", {})
    required: Any = parameters.get("required", [])
    names = cast("list[Any]", required) if isinstance(required, list) else [None]
    if parameters.get("type", "object") != "object":
        faults.append("the arguments must be an object")
    if not isinstance(properties, dict):
        faults.append("`properties` must be an object")
    elif not all(isinstance(inner, dict | bool) for inner in cast("dict[str, Any]", properties).values()):
        faults.append("every property must be a schema")
    if not all(isinstance(name, str) for name in names):
        faults.append("`required` must be a list of names")
    return faults


def _loose(schema: Any, place: str, depth: int) -> list[str]:
    """Why a schema is not strict, at this place and inside."""
    if depth > 20 or not isinstance(schema, dict):
        return []
    node = cast("dict[str, Any]", schema)
    reasons = [f"{place}: `{word}` is not for strict calls" for word in NOT_STRICT if word in node]
    properties = node.get("properties")
    if node.get("type") == "object" or isinstance(properties, dict):
        if node.get("additionalProperties") is not False:
            reasons.append(f"{place}: `additionalProperties` is not false")
        required: Any = node.get("required")
        names = cast("dict[str, Any]", properties) if isinstance(properties, dict) else {}
        if optional := [name for name in names if name not in (required or ())]:
            reasons.append(f"{place}: not required: {', '.join(optional)}")
        for name, inner in names.items():
            reasons += _loose(inner, name, depth + 1)
    for inner in (node.get("items"), *_listed(node.get("anyOf")), *_values(node.get("$defs"))):
        reasons += _loose(inner, place, depth + 1)
    return reasons


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _values(value: Any) -> list[Any]:
    return list(cast("dict[str, Any]", value).values()) if isinstance(value, dict) else []
