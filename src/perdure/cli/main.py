"""`perdure`: the commands, each of which loads what it needs when it is called."""

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

import perdure
from perdure.cli import database, keys, tools
from perdure.kit.errors import PerdureError

app = typer.Typer(
    name="perdure",
    help="The self-hosted home of stateful agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(keys.app, name="keys")
app.add_typer(database.app, name="db")
app.add_typer(tools.app, name="tools")


def run() -> None:
    """Run the command line; errors of ours are sentences, not tracebacks."""
    try:
        app()
    except PerdureError as error:
        sys.exit(f"perdure: {error.detail}")


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"perdure {perdure.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """The self-hosted home of stateful agents."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on. [default: 8283]")] = None,
) -> None:
    """Start the server."""
    gc.disable()  # importing makes much and frees little: a fifth faster; `serve` enables it again
    from perdure.cli.serve import serve as start

    start(host=host, port=port)


@app.command()
def doctor() -> None:
    """Show what is configured, what is reachable, and what to fix."""
    from perdure.cli.doctor import doctor as examine

    raise typer.Exit(0 if examine() else 1)


@app.command()
def chat(
    agent: Annotated[str | None, typer.Argument(help="Its name or id. [default: the newest]")] = None,
    url: Annotated[str | None, typer.Option(help="The server. [default: the one on this machine]")] = None,
    key: Annotated[str | None, typer.Option(help="The API key, if the server wants one.")] = None,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Run a server of its own for the time of the chat.")
    ] = False,
) -> None:
    """Talk with an agent in the terminal; it is made if there is none."""
    from perdure.cli.chat import chat as talk

    talk(agent, url=url, key=key, embedded=embedded)


@app.command()
def demo(
    home: Annotated[
        Path | None,
        typer.Option(envvar="PERDURE_DEMO_HOME", help="Where to keep its data. [default: nowhere]"),
    ] = None,
) -> None:
    """Show an agent that remembers although its server is killed."""
    from perdure.cli.demo import demo as show

    show(home)
