"""The JSON schema of a built-in tool, from its name, docstring and hints.

Tools that users write are read without being run; that is not done here.
"""

import dataclasses
import enum
import inspect
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel

SIMPLE: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
UNIONS = (Union, types.UnionType)
SECTION = re.compile(r"^(Args|Arguments|Attributes|Returns|Raises|Yields|Examples?|Note|Notes):\s*$")
FIELDS = ("Args", "Arguments", "Attributes")
HIDDEN = (*FIELDS, "Returns", "Raises", "Yields")
ENTRY = re.compile(r"^(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


def schema_of(function: Callable[..., Any]) -> dict[str, Any]:
    """What a model is told of `async def name(ctx, …)`: name, description, parameters.

    Every parameter after `ctx` needs a hint and a line under `Args:`; a tool without is a mistake
    in our code, so this raises while the server is imported.
    """
    name: str = getattr(function, "__name__", "")
    description, texts = _read_docstring(inspect.getdoc(function) or "")
    if not description:
        raise TypeError(f"The tool {name} has no docstring.")
    hints = get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())
    names = [parameter.name for parameter in parameters]
    parameters = parameters[names.index("ctx") + 1 if "ctx" in names else 1 :]
    fields = {parameter.name: hints.get(parameter.name) for parameter in parameters}
    required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    return {
        "name": name,
        "description": description,
        "parameters": _object(name, fields, texts, required),
    }


def _object(
    owner: str, fields: Mapping[str, Any], texts: Mapping[str, str], required: Sequence[str]
) -> dict[str, Any]:
    """The schema of named fields; each must have a hint and a text."""
    for name, hint in fields.items():
        if hint is None or name not in texts:
            raise TypeError(f"{owner}: {name} needs a type hint and a description in the docstring.")
    return {
        "type": "object",
        "properties": {name: {**_of_hint(hint), "description": texts[name]} for name, hint in fields.items()},
        "required": [name for name in required if not _is_optional(fields[name])],
    }


def _of_hint(hint: Any) -> dict[str, Any]:
    """The schema of one type."""
    if hint is Any:
        return {}
    if hint in SIMPLE:
        return {"type": SIMPLE[hint]}
    origin, arguments = get_origin(hint) or hint, get_args(hint)
    if origin is Literal:
        return _choices(arguments)
    if origin in UNIONS:
        kinds = [_of_hint(argument) for argument in arguments if argument is not types.NoneType]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return _of_container(origin, arguments)


def _of_container(origin: Any, arguments: Sequence[Any]) -> dict[str, Any]:
    """The schema of a list or a mapping; anything else must be a class with fields."""
    if origin in (list, Sequence, tuple, set):
        return {"type": "array", "items": _of_hint(arguments[0]) if arguments else {"type": "string"}}
    if origin in (dict, Mapping):
        values = _of_hint(arguments[1]) if arguments else {}
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    return _of_class(origin)


def _of_class(kind: Any) -> dict[str, Any]:
    """The schema of an enum, or of a class with described fields."""
    if isinstance(kind, enum.EnumMeta):
        return _choices([member.value for member in cast("type[enum.Enum]", kind)])
    texts = _read_docstring(inspect.getdoc(kind) or "")[1]
    if is_typeddict(kind):
        return _object(kind.__name__, get_type_hints(kind), texts, sorted(kind.__required_keys__))
    if dataclasses.is_dataclass(kind):
        required = [field.name for field in dataclasses.fields(kind) if _is_required(field)]
        return _object(getattr(kind, "__name__", ""), get_type_hints(kind), texts, required)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        told = {name: field.description for name, field in fields.items() if field.description}
        required = [name for name, field in fields.items() if field.is_required()]
        hints = {name: field.annotation for name, field in fields.items()}
        return _object(kind.__name__, hints, {**texts, **told}, required)
    raise TypeError(f"{kind!r} cannot be the type of a tool's parameter.")


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _choices(values: Sequence[Any]) -> dict[str, Any]:
    kinds: set[Any] = {type(value) for value in values}
    kind = SIMPLE.get(kinds.pop()) if len(kinds) == 1 else None
    return {**({"type": kind} if kind else {}), "enum": list(values)}


def _is_optional(hint: Any) -> bool:
    return get_origin(hint) in UNIONS and types.NoneType in get_args(hint)


def _read_docstring(doc: str) -> tuple[str, dict[str, str]]:
    """The description (all but the hidden sections) and the texts of the fields."""
    description: list[str] = []
    fields: list[str] = []
    section = ""
    for line in doc.splitlines():
        if found := SECTION.match(line):
            section = found[1]
        elif line and not line[0].isspace():
            section = ""
        if section in FIELDS:
            fields.append(line)
        elif section not in HIDDEN:
            description.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(description)).strip(), _read_fields(fields[1:])


def _read_fields(lines: Sequence[str]) -> dict[str, str]:
    """`name (type): text`, with texts that may go on in deeper lines."""
    texts: dict[str, str] = {}
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    name = ""
    for line in lines:
        entry = ENTRY.match(line[margin:])
        if entry:
            name = entry[1]
            texts[name] = entry[2]
        elif name and line.strip():
            texts[name] = f"{texts[name]} {line.strip()}".strip()
    return texts
