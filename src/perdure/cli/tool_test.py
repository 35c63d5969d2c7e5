"""`perdure tools test`: one call of a tool file in the sandbox, and what is to be seen of it."""

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import typer

from perdure.config import Settings, load_settings
from perdure.kit.errors import InvalidArgument, NotFound
from perdure.sandbox.base import Job, Outcome, Requirements
from perdure.sandbox.chosen import open_sandbox
from perdure.tools.base import Returned
from perdure.tools.custom.from_source import Run, code_of
from perdure.tools.custom.job import job_of, returned
from perdure.tools.custom.redact import Redact
from perdure.tools.custom.source import read_source
from perdure.tools.derive import schema_from_source
from perdure.tools.dispatch import as_text

ORGANIZATION = "local"
KINDS = {".ts": "typescript", ".mts": "typescript", ".js": "javascript", ".mjs": "javascript"}


@dataclass(frozen=True, slots=True)
class Trial:
    """What was asked for on the command line."""

    file: Path
    function: str | None
    args: str
    env: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()

    def run(self) -> bool:
        """Make the call and print it; whether it was a success."""
        settings = load_settings()
        source = self._source()
        language = KINDS.get(self.file.suffix, "python")
        code, arguments = code_of(Run(source, _object(self.args), name=self.function, source_type=language))
        if language == "python":
            _show("Schema", _pretty(schema_from_source(source, name=code.name)))
        called = read_source(code.source, code.name, code.language)
        env = dict(_pair(each) for each in self.env)
        arguments = {**dict.fromkeys(called.nullable), **arguments}
        job = job_of(code, called, ORGANIZATION, env, settings.sandbox.limits, settings.tools, {})
        wanted = Requirements(self.pip) if language == "python" else Requirements((), self.npm)
        outcome, name = asyncio.run(_call(settings, _with(job, arguments, wanted)))
        done = returned(code.name, outcome, Redact({}), network=bool(job.network))
        _tell(done, outcome, name)
        return done.status == "success"

    def _source(self) -> str:
        try:
            return self.file.read_text()
        except FileNotFoundError as error:
            raise NotFound(f"There is no file {self.file}.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidArgument(f"{self.file} cannot be read: {error}.") from error


async def _call(settings: Settings, job: Job) -> tuple[Outcome, str]:
    """What came of the job, and which sandbox it ran in."""
    sandbox = open_sandbox(settings.sandbox, settings.surroundings)
    try:
        return await sandbox.run(job), sandbox.name
    finally:
        await sandbox.close()


def _with(job: Job, arguments: dict[str, Any], wanted: Requirements) -> Job:
    """The job with its arguments; what only a server can fill is left empty."""
    return replace(job, arguments=arguments, requirements=wanted)


def _tell(done: Returned, outcome: Outcome, sandbox: str) -> None:
    _show("Result" if done.status == "success" else "Error", _pretty(done.value))
    for title, texts in (("Output", done.stdout), ("Standard error", done.stderr)):
        if texts:
            _show(title, "".join(texts))
    note = f"; {outcome.dropped} bytes of output were left out" if outcome.dropped else ""
    typer.echo(f"{outcome.seconds * 1000:.0f} ms in the sandbox {sandbox}{note}")


def _show(title: str, text: str) -> None:
    typer.echo(typer.style(title, bold=True))
    typer.echo("\n".join(f"  {line}" for line in text.rstrip("\n").split("\n")))


def _pretty(value: Any) -> str:
    return (
        json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict | list) else as_text(value)
    )


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidArgument(f"--args is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidArgument('--args must be a JSON object, such as {"city": "Berlin"}.')
    return cast("dict[str, Any]", value)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidArgument(f"--env {text!r} is no NAME=value.")
    return name, value
