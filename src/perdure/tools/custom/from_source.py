"""A tool that is run from its source, to try it: what it is, and its arguments checked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from perdure.tools.arguments import check
from perdure.tools.base import ToolFailed
from perdure.tools.custom.job import Code, language_of, requirements_of
from perdure.tools.custom.source import read_source
from perdure.tools.derive import NoSchema, inlined, schema_from_source


@dataclass(frozen=True, slots=True)
class Run:
    """A source and what it is called with; without a name, it is the function that a tool is made of."""

    source_code: str
    args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    env_vars: Mapping[str, str] = field(default_factory=dict[str, str])
    name: str | None = None
    source_type: str | None = None
    args_json_schema: Mapping[str, Any] | None = None
    json_schema: Mapping[str, Any] | None = None
    pip_requirements: Sequence[Mapping[str, Any]] | None = None
    npm_requirements: Sequence[Mapping[str, Any]] | None = None


def code_of(run: Run) -> tuple[Code, dict[str, Any]]:
    """The code and its arguments in the types it wants; raises `ToolFailed` where they do not fit.

    Raises `NoSchema` (400) for what is not Python, or has no function, and for what is no schema. A
    source without docstring and hints can be tried, too: its arguments are left as they are.
    """
    language = language_of(run.source_type)
    name = run.name or (run.json_schema or {}).get("name") or ""
    name = read_source(run.source_code, name, language).function if language == "python" else name
    if not name:
        raise ToolFailed("Say by `name` or `json_schema` which function is to be run.")
    schema = _schema(run, name, language)
    arguments = dict(run.args)
    parameters: Mapping[str, Any] = (schema or {}).get("parameters") or {}
    if parameters:
        arguments, faults = check(parameters, arguments)
        if faults:
            raise ToolFailed(f"{name} was not run: {'; '.join(faults)}.")
    requirements = requirements_of(
        {"pip_requirements": run.pip_requirements, "npm_requirements": run.npm_requirements}
    )
    known = frozenset(parameters.get("properties") or arguments)
    return Code(name, run.source_code, language, known, requirements), arguments


def _schema(run: Run, name: str, language: str) -> Mapping[str, Any] | None:
    if run.json_schema is not None:
        parameters: Any = run.json_schema.get("parameters") or {}
        return {"parameters": inlined(parameters, "json_schema.parameters")}
    if language != "python":
        return None
    try:
        return schema_from_source(run.source_code, run.args_json_schema, name=name, fallback=name)
    except NoSchema:
        return None
