"""What hints of a source name and nothing in it defines. Pure.

Official clients send a function as it stands, without the imports and the classes of its module, and the
function's hints are evaluated before it is called.
"""

import ast
import builtins
import typing
from collections.abc import Iterator

from perdure.tools.derive.parse import parsed_expression

BUILTINS = frozenset(dir(builtins))
MODULES = frozenset({"datetime", "typing", "uuid", "decimal", "enum", "pathlib", "collections"})
ALIASES = {"dt": "datetime", "t": "typing"}
HOMES = {
    **dict.fromkeys(("datetime", "date", "time", "timedelta"), "datetime"),
    "UUID": "uuid",
    "Decimal": "decimal",
    "Path": "pathlib",
}


def imports_for(tree: ast.AST) -> tuple[list[str], list[str]]:
    """Lines that import what hints of a module name, and the classes that nobody knows any more."""
    lines: set[str] = set()
    unknown: set[str] = set()
    known = BUILTINS | _defined(tree)
    for hint in _hints(tree):
        owners = {part.value for part in ast.walk(hint) if isinstance(part, ast.Attribute)}
        for part in ast.walk(hint):
            if not isinstance(part, ast.Name) or part.id in known:
                continue
            line = _module(part.id) if part in owners else _name(part.id)
            if line:
                lines.add(line)
            else:
                unknown.add(part.id)
    return sorted(lines), sorted(unknown)


def _module(name: str) -> str | None:
    module = ALIASES.get(name, name)
    return f"import {module} as {name}" if module in MODULES else None


def _name(name: str) -> str | None:
    home = "typing" if name in typing.__all__ else HOMES.get(name)
    return f"from {home} import {name}" if home else None


def _defined(tree: ast.AST) -> set[str]:
    """The names a module defines at its top level."""
    names: set[str] = set()
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
                continue
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                continue  # what they name stays theirs
            case ast.Name(id=name, ctx=ast.Store()) | ast.ExceptHandler(name=str() as name):
                names.add(name)
            case ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name):
                names.add(name)
            case ast.alias():
                names.add(node.asname or node.name.partition(".")[0])
            case _:
                pass
        todo += ast.iter_child_nodes(node)
    return names


def _hints(tree: ast.AST) -> Iterator[ast.expr]:
    """All hints of a tree; those in quotes, too, as far as they can be read."""
    for node in ast.walk(tree):
        match node:
            case ast.arg(annotation=ast.expr() as hint) | ast.AnnAssign(annotation=hint):
                yield from _read(hint)
            case (
                ast.FunctionDef(returns=ast.expr() as hint) | ast.AsyncFunctionDef(returns=ast.expr() as hint)
            ):
                yield from _read(hint)
            case _:
                pass


def _read(hint: ast.expr) -> Iterator[ast.expr]:
    yield hint
    if any(isinstance(part, ast.Name) and part.id == "Literal" for part in ast.walk(hint)):
        return
    for part in ast.walk(hint):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield from read_quoted(part.value)


def read_quoted(text: str) -> Iterator[ast.expr]:
    """The hint that stands in quotes; nothing where it is none."""
    try:
        yield parsed_expression(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
