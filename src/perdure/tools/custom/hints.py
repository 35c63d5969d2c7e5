"""What hints of a source name and nothing in it defines. Pure.

Official clients send a function as it stands, without the imports and the classes of its module, and the
function's hints are evaluated before it is called.
"""

import ast
import builtins
import symtable
import typing
import warnings
from collections.abc import Iterator

MODULES = frozenset({"datetime", "typing", "uuid", "decimal", "enum", "pathlib", "collections"})
ALIASES = {"dt": "datetime", "t": "typing"}
HOMES = {
    **dict.fromkeys(("datetime", "date", "time", "timedelta"), "datetime"),
    "UUID": "uuid",
    "Decimal": "decimal",
    "Path": "pathlib",
}


def imports_for(tree: ast.AST, source: str) -> tuple[list[str], list[str]]:
    """Lines that import what hints name, and the names of classes that nobody knows any more.

    `tree` is what was parsed of the source.
    """
    lines: set[str] = set()
    unknown: set[str] = set()
    known = _defined(source)
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


def _defined(source: str) -> frozenset[str]:
    """The names a source defines at its top level, and those that every module has."""
    with warnings.catch_warnings(action="ignore"):
        top = symtable.symtable(source, "<tool>", "exec")
    names = (symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned())
    return frozenset(names) | frozenset(dir(builtins))


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
        yield ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
