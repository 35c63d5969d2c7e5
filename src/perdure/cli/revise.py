"""For developers: write the revision that brings the last one to the tables as they are declared now.

`python -m perdure.cli.revise "why"`; then read it, and set `HEAD` in `db/migrate.py`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from perdure.db.migrate import HEAD, SCRIPTS, alembic_config, run_revisions
from perdure.db.sqlite import sqlite_engine
from perdure.server import tables

REVISIONS = SCRIPTS / "versions"


def revise(message: str) -> Path:
    """Compare the history with the declared tables and write the difference as a new revision."""
    number = f"{len(list(REVISIONS.glob('[0-9]*.py'))) + 1:04}"
    with tempfile.TemporaryDirectory() as folder:
        engine = sqlite_engine(f"sqlite:///{folder}/scratch.db")
        with engine.begin() as conn:
            if number != "0001":
                run_revisions(conn, None)
            command.revision(alembic_config(conn), message, autogenerate=True, rev_id=number)
        engine.dispose()
    written = next(REVISIONS.glob(f"{number}_*.py"))
    for arguments in (("check", "--fix-only", "--quiet"), ("format", "--quiet")):
        subprocess.run([sys.executable, "-m", "ruff", *arguments, written], check=True)
    return written


if __name__ == "__main__":
    print(f"{revise(' '.join(sys.argv[1:]))}; {len(tables.metadata.tables)} tables, HEAD was {HEAD}")
