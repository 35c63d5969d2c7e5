"""`perdure db`: upgrade, check, backup."""

import sqlite3
from contextlib import closing

from perdure.db.lock import take_database
from perdure.db.migrate import HEAD


def test_an_empty_database_is_upgraded_checked_and_copied(perdure, tmp_path):
    assert "run `perdure db upgrade`" in perdure("db", "check", fails=True).stderr
    assert f"Upgraded from an empty database to {HEAD}" in perdure("db", "upgrade").stdout
    assert "nothing to do" in perdure("db", "upgrade").stdout
    assert f"at revision {HEAD}" in perdure("db", "check").stdout
    target = tmp_path / "copy.db"
    assert "Copied" in perdure("db", "backup", str(target)).stdout
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("select version_num from alembic_version").fetchone() == (HEAD,)
    assert "name a new file" in perdure("db", "backup", str(target), fails=True).stderr


def test_a_running_server_is_not_upgraded_under_its_feet(perdure):
    held = take_database(f"sqlite:///{perdure.home}/perdure.db")
    assert held
    assert "is in use by another Perdure process" in perdure("db", "upgrade", fails=True).stderr
    held.release()


def test_what_cannot_be_copied_is_named(perdure, tmp_path):
    assert "There is no database" in perdure("db", "backup", str(tmp_path / "x"), fails=True).stderr
    perdure.env["PERDURE_DATABASE_URL"] = "postgresql://u:secret@localhost/x"
    refused = perdure("db", "backup", str(tmp_path / "x"), fails=True).stderr
    assert "pg_dump" in refused
    assert "secret" not in refused


def test_a_wrong_setting_is_a_sentence(perdure):
    perdure.env["PERDURE_PORT"] = "many"
    assert perdure("db", "check", fails=True).stderr.startswith("perdure: port (PERDURE_PORT): ")
