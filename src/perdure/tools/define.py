"""What a tool is, from what a caller sends: its source, its schema, or both. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from perdure.kit.errors import InvalidArgument, Unprocessable
from perdure.kit.text import storable
from perdure.tools.derive import (
    NoSchema,
    check_typescript,
    docstring_of,
    inlined,
    schema_from_source,
)
from perdure.tools.derive.names import CALLABLE_NAME
from perdure.tools.schemas import DefineTool, UpdateTool
from perdure.tools.store import RETURN_CHAR_LIMIT, ToolRow

SOURCE_TYPES = {"python": "python", "json": "python", "typescript": "typescript"}
DEFINING = frozenset({"source_code", "source_type", "json_schema", "args_json_schema", "description"})
PLAIN: Mapping[str, tuple[str, Any]] = {
    "tags": ("tags", []),
    "return_char_limit": ("return_char_limit", RETURN_CHAR_LIMIT),
    "pip_requirements": ("pip_requirements", None),
    "npm_requirements": ("npm_requirements", None),
    "default_requires_approval": ("default_requires_approval", None),
    "enable_parallel_execution": ("parallel", False),
    "metadata_": ("metadata", None),
}
# What may be said of a tool that is not the caller's code; a new version of the server brings the rest.
OPEN = frozenset({"return_char_limit", "default_requires_approval", "metadata_"})
OPEN_EXTERNAL = OPEN | {"tags", "enable_parallel_execution"}


@dataclass(frozen=True, slots=True)
class Definition:
    """A tool's source with what a model is told of it. `description` is what the caller said."""

    source_code: str
    source_type: str
    json_schema: Mapping[str, Any] | None = None
    args_json_schema: Mapping[str, Any] | None = None
    description: str | None = None

    def columns(self, name: str | None = None, fallback: str = "") -> dict[str, Any]:
        """The columns this decides. `name` is the function's, where that is known already.

        A `json_schema` counts as it is, with references in place; the source must have its function.
        Without one, it is read from the source (`derive.schema_from_source`). `fallback` describes a
        tool that nothing else describes. Raises `NoSchema` (400), `Unprocessable` (422).
        """
        if self.json_schema is not None:
            schema = self._given(self.json_schema, fallback)
        elif self.source_type != "python":
            raise Unprocessable("json_schema: a TypeScript tool needs one, with name and parameters.")
        else:
            schema = schema_from_source(
                self.source_code,
                self.args_json_schema,
                name=name,
                description=self.description,
                fallback=fallback,
            )
        return storable(
            {
                "name": schema["name"],
                "description": self.description or schema["description"],
                "source_type": self.source_type,
                "source_code": self.source_code,
                "json_schema": schema,
                "args_json_schema": self.args_json_schema,
            }
        )

    def _given(self, schema: Mapping[str, Any], fallback: str) -> dict[str, Any]:
        """The caller's schema, also in the envelope that OpenAI's clients put around it."""
        inner: Any = schema.get("function")
        if isinstance(inner, dict) and "name" not in schema:
            schema = cast("dict[str, Any]", inner)
        name: object = schema.get("name")
        if not isinstance(name, str) or not CALLABLE_NAME.match(name):
            raise InvalidArgument(
                "json_schema: it needs a `name` of at most 64 of the characters A-Z, a-z, 0-9, _ and -."
            )
        said = ""
        if self.source_type == "python":
            said = docstring_of(self.source_code, name)
        else:
            check_typescript(self.source_code, name)
        told: object = schema.get("description")
        if not isinstance(told, str) or not told.strip():
            told = self.description or said or fallback or name
        parameters: Any = schema.get("parameters")
        if parameters is None:
            parameters = {"type": "object", "properties": {}}
        return {**schema, "description": told, "parameters": inlined(parameters, "json_schema.parameters")}


def source_type_of(said: str | None) -> str:
    """The stored word for a source's language; `json` is what the older server called Python."""
    if (kind := SOURCE_TYPES.get(said or "python")) is None:
        raise Unprocessable(f"source_type: {said!r} is not known; it is python or typescript.")
    return kind


def columns_of(body: DefineTool) -> dict[str, Any]:
    """The columns of a new tool, or of the one that has its name. No `tags` leaves those there are."""
    definition = Definition(
        body.source_code,
        source_type_of(body.source_type),
        body.json_schema,
        body.args_json_schema,
        body.description,
    )
    plain = _plain(body.model_dump(include=set(PLAIN)))
    if body.tags is None:
        del plain["tags"]
    return {**definition.columns(), **storable(plain)}


def changes_of(row: ToolRow, body: UpdateTool) -> dict[str, Any]:
    """The columns a PATCH changes; what is left out stays, null goes back to the default.

    A new source, or new `args_json_schema`, has its schema read anew unless `json_schema` comes along,
    or the tool's schema was one that its source did not tell. Only `json_schema` can rename.
    """
    given = body.model_fields_set
    if row.kind != "custom":
        _check_open(row, given)
    values = _plain(body.model_dump(include=set(PLAIN) & given))
    if given & DEFINING:
        values |= _redefined(row, body)
    return storable(values)


def _plain(said: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a caller just sets, null being the default."""
    return {PLAIN[field][0]: PLAIN[field][1] if value is None else value for field, value in said.items()}


def _redefined(row: ToolRow, body: UpdateTool) -> dict[str, Any]:
    """The columns that hang together, after a PATCH of some of them."""
    given = body.model_fields_set & DEFINING
    if "source_code" in given and body.source_code is None:
        raise Unprocessable("source_code: a tool cannot be without it. Leave it out to keep it.")
    if given == {"description"}:
        text = body.description or _docstring(row) or row.description
        return {"description": text, "json_schema": {**row.json_schema, "description": text}}
    definition = Definition(
        body.source_code if body.source_code is not None else row.source_code or "",
        source_type_of(body.source_type or row.source_type),
        body.json_schema,
        body.args_json_schema if "args_json_schema" in given else row.args_json_schema,
        body.description,
    )
    if body.json_schema is not None:
        return definition.columns(fallback=row.description)
    if "description" not in given and row.description != _docstring(row):
        definition = replace(definition, description=row.description)
    if "json_schema" in given or body.args_json_schema is not None or _is_read(row):
        return definition.columns(row.name, fallback=row.description)
    told = {"description": body.description} if body.description else {}
    return replace(definition, json_schema={**row.json_schema, **told}).columns()


def _is_read(row: ToolRow) -> bool:
    """Whether a tool's schema can be that of its source, rather than one its maker had to give."""
    if row.source_type != "python":
        return False
    try:
        schema_from_source(row.source_code or "", row.args_json_schema, name=row.name, fallback=row.name)
    except NoSchema:
        return False
    return True


def _docstring(row: ToolRow) -> str:
    """What its source says of a tool; nothing where that cannot be read."""
    try:
        return docstring_of(row.source_code or "", row.name) if row.source_type == "python" else ""
    except NoSchema:
        return ""


def _check_open(row: ToolRow, given: set[str]) -> None:
    """Refuse to change what is not the caller's."""
    builtin = row.kind.startswith("letta_")
    if refused := sorted(given - (OPEN if builtin else OPEN_EXTERNAL)):
        what = "part of the server" if builtin else f"of type {row.kind}"
        raise InvalidArgument(f"{row.name} is {what}: its {', '.join(refused)} cannot be changed.")
