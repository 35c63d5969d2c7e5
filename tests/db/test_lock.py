"""Locks end with their process; two servers never share a SQLite file or a name."""

import subprocess
import sys

import pytest

from perdure.db.lock import AlreadyInUse, claim_instance, sqlite_path, take, take_database

HOLD = """
import sys
from pathlib import Path
from perdure.db.lock import take_database
held = take_database(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_server_on_a_file_is_refused_until_the_first_is_gone(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    command = [sys.executable, "-c", HOLD, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyInUse, match=rf"a\.db is in use by .*\(server, process {other.pid}\)"):
            take_database(url)
        other.kill()
    held = take_database(url)
    assert held
    held.release()


def test_databases_that_servers_may_share_are_not_reserved():
    assert take_database("postgresql://localhost/x") is None
    assert take_database("sqlite://") is None


def test_a_name_lasts_over_restarts_and_is_never_shared(tmp_path):
    name, held = claim_instance(tmp_path)
    other, other_held = claim_instance(tmp_path)
    assert name != other
    held.release()
    again, held = claim_instance(tmp_path)
    assert again == name
    held.release()
    other_held.release()


def test_a_lock_is_taken_once(tmp_path):
    held = take(tmp_path / "new" / "lock")
    assert held
    assert take(tmp_path / "new" / "lock") is None
    held.release()
    again = take(tmp_path / "new" / "lock", wait=True)
    assert again
    again.release()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/a.db", "/var/a.db"),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("postgresql://h/d", None),
    ],
)
def test_the_file_of_a_url(url, path):
    found = sqlite_path(url)
    assert (str(found) if found else None) == path
