"""Copies of a SQLite file are complete, private, and few."""

import sqlite3
import stat
from contextlib import closing

import pytest

from perdure.db.backup import copy_sqlite, keep_copy
from perdure.kit.errors import Conflict


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma journal_mode=wal")
        db.execute("create table t (n)")
        db.execute("insert into t values (1)")
        db.commit()
        yield path  # still open, its rows in the write-ahead log


def test_a_copy_holds_what_was_committed_while_others_write(source, tmp_path):
    target = tmp_path / "new" / "copy.db"
    with closing(sqlite3.connect(source)) as writer:
        writer.execute("insert into t values (2)")
        copy_sqlite(source, target)
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("select n from t").fetchall() == [(1,)]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in target.parent.iterdir() if "unfinished" in path.name] == []


def test_a_copy_never_replaces_a_file(source):
    with pytest.raises(Conflict, match="name a new file"):
        copy_sqlite(source, source)


def test_the_newest_copies_stay(source, tmp_path):
    made = [keep_copy(source, tmp_path / "backups", 2) for _ in range(3)]
    assert sorted((tmp_path / "backups").glob("*.db")) == made[1:]


def test_nothing_is_copied_where_there_is_nothing(source, tmp_path):
    assert keep_copy(source, tmp_path / "backups", 0) is None
    assert keep_copy(tmp_path / "none.db", tmp_path / "backups", 2) is None
