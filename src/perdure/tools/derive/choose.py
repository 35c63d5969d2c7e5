"""Which function of a source is the tool."""

import ast
from collections.abc import Sequence

from perdure.tools.derive.errors import NoSchema, Where
from perdure.tools.derive.module import Function, Module

INJECTED = ("agent_state", "agent_id")  # parameters that the server fills; no model is told of them


def tool_function(module: Module, name: str | None = None) -> Function:
    """The tool among the functions at the top level of a source.

    It is the one of that name; without a name the only one, else the last one that no other top-level
    code uses, so helpers may stand before it or after it. Names with an underscore in front are
    helpers unless there is nothing else.
    """
    functions = list(module.functions.values())
    if name is not None:
        if name not in module.functions:
            raise NoSchema(f"source_code: it has no function {name} at its top level{_present(functions)}.")
        return module.functions[name]
    if not functions:
        raise _no_function(module)
    public = [function for function in functions if not function.name.startswith("_")] or functions
    used = _used(module)
    free = [function for function in public if function.name not in used] or public
    return max(free, key=lambda function: function.lineno)


def _used(module: Module) -> set[str]:
    """The functions that other code than their own names."""
    used: set[str] = set()
    for statement in module.statements:
        if isinstance(statement, ast.If | ast.Try):
            continue  # what they hold is listed itself, a call under `__main__` too
        own = statement.name if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) else None
        if own is None and not isinstance(statement, ast.ClassDef):
            continue  # a module that calls its own tool, to try it, does not make it a helper
        used |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and node.id != own}
    return used & set(module.functions)


def _present(functions: Sequence[Function]) -> str:
    return f" (it has {', '.join(function.name for function in functions)})" if functions else ""


def _no_function(module: Module) -> NoSchema:
    for statement in module.classes.values():
        methods = (node.name for node in statement.body if isinstance(node, ast.FunctionDef))
        if "run" in methods:
            where = Where(statement.lineno, statement.name)
            return where.fault("a tool is a function. Send the method `run` as a top-level function.")
    return NoSchema(
        "source_code: it has no function at its top level. Write `def name(…)` with type hints and a"
        " docstring."
    )
