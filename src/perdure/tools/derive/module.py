"""What a Python source defines at its top level."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from perdure.tools.derive.errors import NoSchema
from perdure.tools.derive.parse import parsed_module

MAX_CHARS = 100_000

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """A source: `imports` tells what an imported name was called where it came from."""

    statements: Sequence[ast.stmt]
    functions: Mapping[str, Function]
    classes: Mapping[str, ast.ClassDef]
    aliases: Mapping[str, ast.expr]
    imports: Mapping[str, str]

    def name_of(self, node: ast.expr) -> str:
        """The last name of `a.b.C`, undoing `import … as`; empty for anything else."""
        match node:
            case ast.Name(id=name):
                return name if name in self.classes else self.imports.get(name, name)
            case ast.Attribute(attr=name):
                return name
            case _:
                return ""


def read_module(source: str) -> Module:
    """The definitions of a source; raises `NoSchema` when it is not Python."""
    statements = list(_flat(_parsed(source).body))
    imports: dict[str, str] = {}
    aliases: dict[str, ast.expr] = {}
    for statement in statements:
        match statement:
            case ast.ImportFrom(names=names):
                imports |= {name.asname: name.name for name in names if name.asname}
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                aliases[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                aliases[name] = value
            case _:
                pass
    return Module(
        statements=statements,
        functions={
            each.name: each for each in statements if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        },
        classes={each.name: each for each in statements if isinstance(each, ast.ClassDef)},
        aliases=aliases,
        imports=imports,
    )


def _parsed(source: str) -> ast.Module:
    if len(source) > MAX_CHARS:
        raise NoSchema(f"source_code: {len(source)} characters are too many; at most {MAX_CHARS} are read.")
    try:
        return parsed_module(source)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise NoSchema(f"source_code{line}: this is not Python: {error.msg}.") from error
    except UnicodeEncodeError as error:
        raise NoSchema("source_code: it holds half of a surrogate pair, which is not text.") from error
    except ValueError as error:
        raise NoSchema(f"source_code: this is not Python: {error}.") from error
    except (RecursionError, MemoryError) as error:
        raise NoSchema("source_code: it is nested too deeply to be read.") from error


def _flat(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module and of its top-level `if` and `try` blocks, in their order."""
    todo = list(reversed(statements))
    while todo:
        statement = todo.pop()
        yield statement
        match statement:
            case ast.If(body=body, orelse=rest):
                todo += reversed([*body, *rest])
            case ast.Try(body=body, orelse=rest, finalbody=last):
                todo += reversed([*body, *rest, *last])
            case _:
                pass
