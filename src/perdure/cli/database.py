"""`perdure db`: upgrade, check and copy the database."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Upgrade, check and back up the database.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the tables up to date; the server does it at its start, too."""
    from perdure.cli.opened import bring_up, with_database
    from perdure.config import load_settings

    settings = load_settings()
    done = with_database(settings, lambda db: bring_up(db, settings), exclusive="upgrade", ready=False)
    if done.before == done.after:
        typer.echo(f"The database is at revision {done.after}: nothing to do.")
    else:
        typer.echo(f"Upgraded from {done.before or 'an empty database'} to {done.after}.")
    if done.backup:
        typer.echo(f"A copy from before is {done.backup}.")


@app.command()
def check() -> None:
    """Say whether the tables are those that this version needs."""
    from perdure.cli.opened import with_database
    from perdure.config import load_settings
    from perdure.db.migrate import HEAD
    from perdure.db.migrate import check as examine

    with_database(load_settings(), examine, ready=False)
    typer.echo(f"The database is at revision {HEAD}, as this version needs it.")


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The copy to make.")]) -> None:
    """Copy a SQLite database, also while the server runs."""
    from perdure.config import load_settings
    from perdure.db.backup import copy_sqlite
    from perdure.db.lock import sqlite_path
    from perdure.kit.errors import InvalidArgument, NotFound

    source = sqlite_path(load_settings().database_url)
    if source is None:
        raise InvalidArgument(
            "This copies SQLite files only. For Postgres, use pg_dump: "
            'pg_dump --format=custom --file=FILE "$PERDURE_DATABASE_URL"'
        )
    if not source.exists():
        raise NotFound(f"There is no database at {source} yet.")
    copy_sqlite(source, file.absolute())
    typer.echo(f"Copied {source} to {file} ({file.stat().st_size / 1e6:.1f} MB).")
