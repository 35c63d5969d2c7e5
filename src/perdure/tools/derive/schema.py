"""From a source to what a model is told of the tool in it."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from perdure.kit.text import storable
from perdure.tools.derive.choose import INJECTED, tool_function
from perdure.tools.derive.docstring import Doc, read_docstring
from perdure.tools.derive.errors import NoSchema, Where
from perdure.tools.derive.fields import Field
from perdure.tools.derive.hints import Hints, without_null
from perdure.tools.derive.inline import inlined
from perdure.tools.derive.module import Function, Module, read_module
from perdure.tools.derive.names import CALLABLE_NAME, NULL


def schema_from_source(
    source: str,
    args_json_schema: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    fallback: str = "",
) -> dict[str, Any]:
    """The `name`, `description` and `parameters` of a Python tool, by reading its source.

    `name` says which top-level function it is; without it, `choose.tool_function` tells. A
    `description` stands in place of the docstring, `fallback` where neither is, and `args_json_schema`
    (its `$ref`s are put in place) in place of hints. The parameters have no `$ref`, so that
    `tools.arguments.check` knows all of it. `self` and what the server injects are not among them. A
    parameter is required when it has no default and is not Optional; who calls the function gives None
    for an Optional one that is left out and has no default.

    Raises `NoSchema` (400), which names line, function, parameter and what to write.
    """
    module = read_module(source)
    function = tool_function(module, name)
    where = Where(function.lineno, function.name)
    if not CALLABLE_NAME.match(function.name):
        raise where.fault("a tool's name has at most 64 of the characters A-Z, a-z, 0-9, _ and -.")
    doc = read_docstring(ast.get_docstring(function), [each.arg for each in _arguments(function)])
    told = (description or "").strip() or doc.description or fallback
    if not told:
        raise where.fault("it has no docstring. Say in one what the tool does, or send a description.")
    if args_json_schema is None:
        parameters = _parameters(module, function, doc, where)
    else:
        parameters = inlined(args_json_schema, "args_json_schema")
        _check_fits(function, parameters, where)
    return storable({"name": function.name, "description": told, "parameters": parameters})


def docstring_of(source: str, name: str) -> str:
    """What a source says of its function of that name; raises `NoSchema` where it has none."""
    function = tool_function(read_module(source), name)
    return storable(read_docstring(ast.get_docstring(function)).description)


def _parameters(module: Module, function: Function, doc: Doc, where: Where) -> dict[str, Any]:
    """The schema of a function's arguments."""
    hints = Hints(module)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for argument, default in _told(function, where):
        here = where.at(argument.arg, argument.lineno)
        if not CALLABLE_NAME.match(argument.arg):
            raise here.fault("a parameter's name has at most 64 of the characters A-Z, a-z, 0-9 and _.")
        if argument.annotation is None:
            raise here.fault(f"it has no type hint. Write for example `{argument.arg}: str`.")
        text = doc.texts.get(argument.arg, "")
        field = Field(argument.arg, argument.annotation, argument.lineno, default=default, text=text)
        made = hints.property(field, here)
        nullable = NULL in made.get("anyOf", ())
        if default is None or (isinstance(default, ast.Constant) and default.value is None):
            made = without_null(made)
        properties[argument.arg] = {**made, "description": made.get("description") or argument.arg}
        if default is None and not nullable:
            required.append(argument.arg)
    return {"type": "object", "properties": properties, "required": required}


def _told(function: Function, where: Where) -> Sequence[tuple[ast.arg, ast.expr | None]]:
    """The parameters that a model gives, each with its default."""
    given = function.args
    for star in (given.vararg, given.kwarg):
        if star is not None:
            here = where.at(star.arg, star.lineno)
            raise here.fault("a tool cannot take *args or **kwargs. Name each parameter.")
    if given.posonlyargs and given.posonlyargs[-1].arg != "self":
        here = where.at(given.posonlyargs[-1].arg, given.posonlyargs[-1].lineno)
        raise here.fault("arguments are given by name. Remove the `/`.")
    defaults = [None] * (len(given.args) - len(given.defaults)) + list(given.defaults)
    pairs = [*zip(given.args, defaults, strict=False), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return [pair for pair in pairs if pair[0].arg not in ("self", *INJECTED)]


def _arguments(function: Function) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _check_fits(function: Function, parameters: Mapping[str, Any], where: Where) -> None:
    """Refuse a schema that calls the function with what it does not take, or without what it needs."""
    own: Mapping[str, Any] = parameters.get("properties") or {}
    names = [argument.arg for argument in _arguments(function)]
    if function.args.kwarg is None and (unknown := [name for name in own if name not in names]):
        raise where.fault(f"args_json_schema has {', '.join(unknown)}, which the function does not take.")
    try:
        needed = [argument.arg for argument, default in _told(function, where) if default is None]
    except NoSchema:
        return  # with stars nobody can tell
    if missing := [name for name in needed if name not in own]:
        raise where.fault(f"args_json_schema lacks {', '.join(missing)}, which the function needs.")
