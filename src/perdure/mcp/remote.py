"""What a server says of its tools, and which of our tools they become. Pure."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import orjson

from perdure.tools.custom.redact import Redact, redacted
from perdure.tools.derive import NoSchema, inlined

MAX_NAME = 64
MAX_DEPTH = 100  # JSON is written here up to 254, and a schema is stored and sent inside of more
Status = Literal["STRICT_COMPLIANT", "NON_STRICT_ONLY", "INVALID"]
# What strict function calling of vendors does not take.
NOT_STRICT = ("allOf", "oneOf", "not", "if", "patternProperties", "dependentSchemas", "prefixItems")


@dataclass(frozen=True, slots=True)
class RemoteTool:
    """A tool as its server describes it. `wire` is all it said, for those who want to see it.

    With a `fault` it is no tool of ours, and nothing of its schema is kept in `parameters`.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    wire: Mapping[str, Any] = field(default_factory=dict[str, Any])
    fault: str = ""

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


def remote_tool(wire: Mapping[str, Any], redact: Redact) -> RemoteTool:
    """A tool of a listing: no secret in its words, no reference in its schema.

    `wire` has `name` and `inputSchema`. What no model can be given, or we cannot keep, has a `fault`.
    """
    if not _fits(wire):
        return unfit(wire["name"], wire.get("description", ""), redact)
    told = {key: redacted(value, redact) for key, value in wire.items()}
    name, description = told["name"], told.get("description", "")
    if name != wire["name"]:
        return RemoteTool(name, description, {}, told, "its name holds a secret")
    try:
        return RemoteTool(name, description, inlined(told["inputSchema"], "inputSchema"), told)
    except NoSchema as error:
        return RemoteTool(name, description, {}, told, error.detail)


def unfit(name: str, description: str, redact: Redact) -> RemoteTool:
    """A tool of which no more than its name and description can be kept."""
    fault = f"it has a number beyond 64 bits, or more than {MAX_DEPTH} values inside each other"
    name, description = redact(name), redact(description)
    told = {"name": name, "description": description, "inputSchema": {"type": "object"}}
    return RemoteTool(name, description, {}, told, fault)


def schema_health(tool: RemoteTool) -> SchemaHealth:
    """Whether a tool's schema can be one at all, and whether strict function calling takes it."""
    if tool.fault:
        return SchemaHealth("INVALID", [tool.fault])
    reasons = list(dict.fromkeys(_loose(tool.parameters, "the arguments", 0)))
    return SchemaHealth("NON_STRICT_ONLY", reasons) if reasons else SchemaHealth("STRICT_COMPLIANT")


def is_usable(tool: RemoteTool) -> bool:
    """Whether a model could be given the tool at all."""
    return not tool.fault


def _fits(value: Any, depth: int = 0) -> bool:
    """Whether a value can be written as JSON, with room for what it will be inside of."""
    if isinstance(value, dict | list):
        inner = _values(cast("Any", value)) or _listed(cast("Any", value))
        return depth < MAX_DEPTH and all(_fits(each, depth + 1) for each in inner)
    return not isinstance(value, int) or -(2**63) <= value < 2**64


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
