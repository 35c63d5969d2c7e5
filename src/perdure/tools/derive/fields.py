"""The fields of classes and the members of enums, read from the syntax tree."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from perdure.tools.derive.constraints import options_of
from perdure.tools.derive.docstring import read_docstring
from perdure.tools.derive.literals import NotLiteral, text_of, value_of
from perdure.tools.derive.module import Module

KINDS: Mapping[str, str] = {
    **dict.fromkeys(("Enum", "StrEnum", "IntEnum", "ReprEnum"), "enum"),
    **dict.fromkeys(("BaseModel", "SQLModel"), "model"),
    "TypedDict": "typeddict",
    "NamedTuple": "namedtuple",
}
MAX_FAMILY = 50


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a class or a parameter. `default` is its expression, where it has one."""

    name: str
    hint: ast.expr
    line: int
    required: bool = True
    default: ast.expr | None = None
    text: str = ""
    alias: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    null_is_absence: bool = False

    @property
    def wire_name(self) -> str:
        """Its name in JSON."""
        return self.alias or self.name


def kind_of(module: Module, node: ast.ClassDef) -> str | None:
    """What a class is: enum, model, dataclass, typeddict, namedtuple, or none of them."""
    for owner in _family(module, node):
        for decorator in owner.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if module.name_of(called) == "dataclass":
                return "dataclass"
        kinds = (KINDS.get(base) for base in _bases(module, owner) if isinstance(base, str))
        if kind := next(filter(None, kinds), None):
            return kind
    return None


def members_of(module: Module, node: ast.ClassDef) -> dict[str, Any]:
    """The values of an enum's members; raises `NotLiteral`."""
    if kind_of(module, node) != "enum":
        raise NotLiteral
    texts = any(base == "StrEnum" for base in _bases(module, node))
    members: dict[str, Any] = {}
    greatest = 0  # auto() gives one more
    for name, value in _assigned(node.body):
        if name.startswith("_"):
            continue
        if isinstance(value, ast.Call) and module.name_of(value.func) == "auto" and not value.args:
            made = name.lower() if texts else greatest + 1
        else:
            made = value_of(value)
        if not isinstance(made, str | int | float):
            raise NotLiteral
        members[name] = made
        greatest = max(greatest, made) if isinstance(made, int) else greatest
    return members


def fields_of(module: Module, node: ast.ClassDef, kind: str) -> list[Field]:
    """The fields of a class and of the classes of the source it inherits from."""
    found: dict[str, Field] = {}
    for owner in reversed(list(_family(module, node))):
        texts = read_docstring(ast.get_docstring(owner)).texts
        total = _total(owner)
        for at, statement in enumerate(owner.body):
            if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
                continue
            name = statement.target.id
            if name.startswith("_") or name == "model_config" or _wraps(module, statement, "ClassVar"):
                continue
            below = owner.body[at + 1] if at + 1 < len(owner.body) else None
            said = text_of(below.value) if isinstance(below, ast.Expr) else None
            made = _field(module, statement, name, said or texts.get(name, ""), kind=kind, total=total)
            if made is not None:
                found[name] = made
    return list(found.values())


def _field(
    module: Module, statement: ast.AnnAssign, name: str, text: str, *, kind: str, total: bool
) -> Field | None:
    """One field; None where it is none of those that a caller gives."""
    plain = Field(name, statement.annotation, statement.lineno, text=text)
    if kind == "typeddict":
        optional = _wraps(module, statement, "NotRequired")
        return replace(plain, required=_wraps(module, statement, "Required") or (total and not optional))
    default = statement.value
    factory = None
    if called := _field_call(module, statement):
        named = {keyword.arg: keyword.value for keyword in called.keywords}
        if value_or(named.get("init"), True) is False:
            return None
        alias = text_of(named.get("validation_alias")) or text_of(named.get("alias"))
        plain = replace(plain, alias=alias, options=options_of(called))
        factory = named.get("default_factory")
        if default is called:
            default = called.args[0] if called.args else named.get("default")
    if isinstance(default, ast.Constant) and default.value is ...:
        default = None
    nothing = isinstance(default, ast.Constant) and default.value is None
    required = default is None and factory is None
    return replace(plain, required=required, default=default, null_is_absence=nothing)


def _field_call(module: Module, statement: ast.AnnAssign) -> ast.Call | None:
    """`Field(…)` or `field(…)` as a field's value or inside its `Annotated`."""
    candidates: list[ast.expr] = [statement.value] if statement.value is not None else []
    match statement.annotation:
        case ast.Subscript(value=generic, slice=ast.Tuple(elts=elements)) if (
            module.name_of(generic) == "Annotated"
        ):
            candidates += elements[1:]
        case _:
            pass
    for candidate in candidates:
        if isinstance(candidate, ast.Call) and module.name_of(candidate.func) in ("Field", "field"):
            return candidate
    return None


def value_or(node: ast.expr | None, otherwise: Any) -> Any:
    """The value of a literal, or another one where there is none."""
    try:
        return otherwise if node is None else value_of(node)
    except NotLiteral:
        return otherwise


def _family(module: Module, node: ast.ClassDef) -> Iterator[ast.ClassDef]:
    """A class and those it inherits from, nearest first."""
    todo, seen = [node], set[str]()
    while todo:
        owner = todo.pop(0)
        if owner.name not in seen and len(seen) < MAX_FAMILY:
            seen.add(owner.name)
            yield owner
            todo += [base for base in _bases(module, owner) if isinstance(base, ast.ClassDef)]


def _bases(module: Module, node: ast.ClassDef) -> list[str | ast.ClassDef]:
    """The bases of a class: those of the source themselves, the others by name."""
    plain = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases[:MAX_FAMILY])
    return [module.classes.get(name, name) for name in map(module.name_of, plain)]


def _wraps(module: Module, statement: ast.AnnAssign, wrapper: str) -> bool:
    """Whether a hint is `wrapper[…]`, or `Annotated` of it, or that in quotes."""
    return (
        any(
            isinstance(node, ast.Subscript) and module.name_of(node.value) == wrapper
            for node in ast.walk(statement.annotation)
        )
        or module.name_of(statement.annotation) == wrapper
    )


def _total(node: ast.ClassDef) -> bool:
    return all(value_or(each.value, True) is not False for each in node.keywords if each.arg == "total")


def _assigned(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for statement in body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))
            case _:
                pass
