"""Type hints as JSON schemas, read from the syntax tree."""

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from perdure.tools.derive.constraints import constrained, said_by
from perdure.tools.derive.docstring import read_docstring
from perdure.tools.derive.errors import Where
from perdure.tools.derive.fields import Field, fields_of, kind_of, members_of
from perdure.tools.derive.literals import NotLiteral, choices, value_of
from perdure.tools.derive.module import Module
from perdure.tools.derive.names import LISTS, MAPS, NULL, SIMPLE, TUPLES, WRAPPERS
from perdure.tools.derive.parse import parsed_expression

MAX_DEPTH = 24
MAX_TYPES = 2_000


class Hints:
    """Reads the hints of one source. Classes of the source are told in full where they are used."""

    def __init__(self, module: Module):
        self._module = module
        self._inside: list[str] = []
        self._left = MAX_TYPES
        self._members: dict[str, dict[str, Any]] = {}
        self._fields: dict[str, list[Field]] = {}

    def schema(self, node: ast.expr, where: Where, depth: int = 0) -> dict[str, Any]:
        """The schema of a hint; `X | None` has a null among its alternatives."""
        self._spend(1, where, depth)
        match node:
            case ast.Constant(value=None):
                return dict(NULL)
            case ast.Constant(value=str() as text):
                return self.schema(_parsed(text, where), where, depth + 1)
            case ast.BinOp(op=ast.BitOr()):
                return self._union(list(_alternatives(node)), where, depth)
            case ast.Name() | ast.Attribute():
                return self._named(node, where, depth)
            case ast.Subscript(value=generic, slice=inner):
                arguments = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                return self._generic(self._module.name_of(generic), arguments, where, depth)
            case _:
                raise where.fault(f"`{_shown(node)}` is no type hint that can be read. {_advice()}")

    def _spend(self, pieces: int, where: Where, depth: int = 0) -> None:
        """Count what a schema is made of, for few lines can stand for a huge one."""
        self._left -= pieces
        if depth > MAX_DEPTH or self._left < 0:
            raise where.fault("its type is too large. Use fewer nested types, or `dict`.")

    def _named(self, node: ast.expr, where: Where, depth: int) -> dict[str, Any]:
        name = self._module.name_of(node)
        if isinstance(node, ast.Name) and name in self._module.classes:
            return self._class(self._module.classes[name], where, depth)
        if isinstance(node, ast.Name) and name in self._module.aliases:
            return self._alias(name, where, depth)
        if name in SIMPLE:
            return dict(SIMPLE[name])
        if name in LISTS:
            return {"type": "array", "items": {"type": "string"}}
        if name in MAPS:
            return {"type": "object"}
        raise where.fault(f"the type `{_shown(node)}` is not known here. {_advice()}")

    def _alias(self, name: str, where: Where, depth: int) -> dict[str, Any]:
        """What `Name = hint`, `NewType("Name", hint)` stands for."""
        if name in self._inside:
            raise where.fault(f"the type `{name}` contains itself, which a tool's parameter cannot.")
        value = self._module.aliases[name]
        match value:
            case ast.Call(func=function, args=[_, hint]) if self._module.name_of(function) == "NewType":
                value = hint
            case _:
                pass
        self._inside.append(name)
        made = self.schema(value, where, depth + 1)
        self._inside.pop()
        return made

    def _generic(self, name: str, arguments: Sequence[ast.expr], where: Where, depth: int) -> dict[str, Any]:
        if name == "Literal":
            return self._literal(arguments, where)
        if name in ("Union", "Optional"):
            extra = [ast.Constant(value=None)] if name == "Optional" else []
            return self._union([*arguments, *extra], where, depth)
        if name == "Annotated" and arguments:
            options = said_by(self._module, arguments[1:])
            return constrained(self.schema(arguments[0], where, depth + 1), options)
        if name in WRAPPERS and arguments:
            return self.schema(arguments[0], where, depth + 1)
        return self._container(name, arguments, where, depth)

    def _container(
        self, name: str, arguments: Sequence[ast.expr], where: Where, depth: int
    ) -> dict[str, Any]:
        if name in TUPLES:
            return self._tuple(arguments, where, depth)
        if name in LISTS and arguments:
            return {"type": "array", "items": self.schema(arguments[0], where, depth + 1)}
        if name in MAPS:
            return self._map(arguments, where, depth)
        raise where.fault(f"the generic type `{name or '?'}[…]` is not known here. {_advice()}")

    def _tuple(self, arguments: Sequence[ast.expr], where: Where, depth: int) -> dict[str, Any]:
        if len(arguments) == 2 and isinstance(arguments[1], ast.Constant) and arguments[1].value is ...:
            return {"type": "array", "items": self.schema(arguments[0], where, depth + 1)}
        if not arguments:
            return {"type": "array", "items": {}, "maxItems": 0}
        items = self._union(arguments, where, depth)
        return {"type": "array", "items": items, "minItems": len(arguments), "maxItems": len(arguments)}

    def _map(self, arguments: Sequence[ast.expr], where: Where, depth: int) -> dict[str, Any]:
        if len(arguments) != 2:
            raise where.fault("a dict has a type for its keys and one for its values: `dict[str, int]`.")
        self.schema(arguments[0], where, depth + 1)
        values = self.schema(arguments[1], where, depth + 1)
        return {"type": "object", **({"additionalProperties": values} if values else {})}

    def _literal(self, arguments: Sequence[ast.expr], where: Where) -> dict[str, Any]:
        self._spend(len(arguments), where)
        values: list[Any] = []
        for argument in arguments:
            try:
                value = self.constant(argument)
            except NotLiteral as error:
                raise where.fault(f"`{_shown(argument)}` is no value that a Literal can have.") from error
            if not isinstance(value, str | int | None):
                raise where.fault(f"`{_shown(argument)}` is no value that a Literal can have.")
            values.append(value)
        values = [value for at, value in enumerate(values) if not _among(value, values[:at])]
        told = [value for value in values if value is not None]
        if not told:
            return dict(NULL)
        return choices(told) if len(told) == len(values) else {"anyOf": [choices(told), dict(NULL)]}

    def constant(self, node: ast.expr) -> Any:
        """The value of a literal or of an enum's member; raises `NotLiteral`."""
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in self._module.classes:
                members = self._members_of(self._module.classes[owner])
                if name not in members:
                    raise NotLiteral
                return members[name]
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id=_)) as member, attr="value"):
                return self.constant(member)
            case _:
                return value_of(node)

    def _union(self, alternatives: Sequence[ast.expr], where: Where, depth: int) -> dict[str, Any]:
        kinds: list[dict[str, Any]] = []
        for alternative in alternatives:
            kind = self.schema(alternative, where, depth + 1)
            flat = kind["anyOf"] if set(kind) == {"anyOf"} else [kind]
            kinds += [each for each in flat if each not in kinds]
        if {} in kinds:
            return {}
        kinds = [kind for kind in kinds if kind != NULL] + [kind for kind in kinds if kind == NULL]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}

    def _class(self, node: ast.ClassDef, where: Where, depth: int) -> dict[str, Any]:
        """The schema of an enum or of a class with fields."""
        kind = kind_of(self._module, node)
        if kind is None:
            raise where.fault(
                f"the class {node.name} is no Enum, Pydantic model, dataclass, TypedDict or NamedTuple,"
                " so it cannot be told to a model."
            )
        if node.name in self._inside:
            raise where.fault(f"the class {node.name} contains itself, which a tool's parameter cannot.")
        if kind == "enum":
            return self._enum(node, where)
        self._inside.append(node.name)
        fields = self._fields_of(node, kind)
        text = read_docstring(ast.get_docstring(node)).description
        made = self.object([(field, Where(field.line, node.name, field.name)) for field in fields], depth)
        self._inside.pop()
        return {**made, **({"description": text} if text else {})}

    def _fields_of(self, node: ast.ClassDef, kind: str) -> list[Field]:
        if node.name not in self._fields:
            self._fields[node.name] = fields_of(self._module, node, kind)
        return self._fields[node.name]

    def _enum(self, node: ast.ClassDef, where: Where) -> dict[str, Any]:
        try:
            values = list(self._members_of(node).values())
        except NotLiteral as error:
            raise where.fault(f"the members of {node.name} must be literal texts or numbers.") from error
        if not values:
            raise where.fault(f"the enum {node.name} has no members.")
        self._spend(len(values), where)
        return choices(values)

    def _members_of(self, node: ast.ClassDef) -> dict[str, Any]:
        if node.name not in self._members:
            self._members[node.name] = members_of(self._module, node)
        return self._members[node.name]

    def object(self, fields: Sequence[tuple[Field, Where]], depth: int = 0) -> dict[str, Any]:
        """The schema of named fields."""
        properties = {field.wire_name: self.property(field, where, depth) for field, where in fields}
        required = [field.wire_name for field, _ in fields if field.required]
        return {"type": "object", "properties": properties, "required": required}

    def property(self, field: Field, where: Where, depth: int = 0) -> dict[str, Any]:
        """The schema of one field with its description and its default.

        A null is left out where leaving the field out means the same.
        """
        made = self.schema(field.hint, where, depth + 1)
        if field.null_is_absence:
            made = without_null(made)
        made = constrained(made, field.options)
        if field.text:
            made["description"] = field.text
        if field.default is not None:
            try:
                value = self.constant(field.default)
            except NotLiteral:
                value = None
            if value is not None:
                made["default"] = value
        return made


def _among(value: Any, others: Sequence[Any]) -> bool:
    """Whether a value is there already; True is not 1."""
    return any(value == other and type(value) is type(other) for other in others)


def without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The alternatives of a schema that are not null."""
    if "anyOf" not in schema:
        return schema
    kinds = [kind for kind in schema["anyOf"] if kind != NULL]
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**(kinds[0] if len(kinds) == 1 else {"anyOf": kinds}), **rest}


def _alternatives(node: ast.expr) -> Iterator[ast.expr]:
    """The parts of `A | B | C` in their order."""
    todo = [node]
    while todo:
        part = todo.pop()
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitOr):
            todo += [part.right, part.left]
        else:
            yield part


def _parsed(text: str, where: Where) -> ast.expr:
    """A hint that stands in quotes."""
    try:
        return parsed_expression(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise where.fault(f"the type hint {text[:60]!r} cannot be read.") from error


def _shown(node: ast.expr) -> str:
    try:
        text = ast.unparse(node)
    except (RecursionError, ValueError):
        text = type(node).__name__
    return text if len(text) <= 60 else f"{text[:60]}…"


def _advice() -> str:
    return "Use a built-in type, define the class in the source, or send json_schema or args_json_schema."
