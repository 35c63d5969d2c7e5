"""`perdure tools`: try the tools that users write, without a server."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def tools() -> None:
    """Try tools before a server has them."""


@app.command("test")
def try_file(
    file: Annotated[Path, typer.Argument(help="A Python, TypeScript or JavaScript file with a tool.")],
    function: Annotated[
        str | None, typer.Option(help="Which function of it. [default: as when a tool is made]")
    ] = None,
    args: Annotated[str, typer.Option(help="The arguments, a JSON object.")] = "{}",
    env: Annotated[list[str] | None, typer.Option(help="A variable it sees, NAME=value; repeatable.")] = None,
    pip: Annotated[list[str] | None, typer.Option(help="A Python package it needs; repeatable.")] = None,
    npm: Annotated[list[str] | None, typer.Option(help="A Node package it needs; repeatable.")] = None,
) -> None:
    """Run a tool file in the sandbox that a server here would use.

    Shows what a model is told of it, and what comes of the call. Fails when the tool does.
    """
    from perdure.cli.tool_test import Trial

    fine = Trial(file, function, args, tuple(env or ()), tuple(pip or ()), tuple(npm or ())).run()
    raise typer.Exit(0 if fine else 1)
