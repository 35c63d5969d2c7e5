"""The key ring: what it seals opens again, in its own row and nowhere else."""

import base64
import concurrent.futures
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.tenancy.keyring import KeyRing, KeyRingError, load_key_ring

PLACE = {"table": "providers", "row": "provider-1", "organization": "org-1"}


@given(st.text())
def test_any_text_opens_again(plain):
    ring = KeyRing([b"k" * 32])
    assert ring.open(ring.seal(plain, **PLACE), **PLACE) == plain


def test_the_same_secret_is_sealed_differently_each_time():
    ring = KeyRing([b"k" * 32])
    assert ring.seal("sk-1", **PLACE) != ring.seal("sk-1", **PLACE)


@pytest.mark.parametrize("part", ["table", "row", "organization"])
def test_a_secret_does_not_open_in_another_place(part):
    ring = KeyRing([b"k" * 32])
    token = ring.seal("sk-1", **PLACE)
    with pytest.raises(KeyRingError, match="belongs to another row"):
        ring.open(token, **{**PLACE, part: "elsewhere"})


def test_a_changed_token_does_not_open():
    ring = KeyRing([b"k" * 32])
    token = ring.seal("sk-1", **PLACE)
    changed = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    with pytest.raises(KeyRingError, match="was changed"):
        ring.open(changed, **PLACE)


@pytest.mark.parametrize("token", ["", "sk-plain", "p1.abc", "p2.abc.def"])
def test_something_that_is_no_token_is_named_so(token):
    with pytest.raises(KeyRingError, match="format"):
        KeyRing([b"k" * 32]).open(token, **PLACE)


def test_a_missing_key_is_named_and_where_to_put_it():
    token = KeyRing([b"a" * 32]).seal("sk-1", **PLACE)
    with pytest.raises(KeyRingError, match="is not in PERDURE_ENCRYPTION_KEYS"):
        KeyRing([b"b" * 32]).open(token, **PLACE)


def test_the_file_is_made_once_and_readable_by_its_owner_alone(tmp_path):
    home = tmp_path / "home"
    ring = load_key_ring(home)
    assert stat.S_IMODE((home / "keys").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    token = ring.seal("sk-1", **PLACE)
    assert load_key_ring(home).open(token, **PLACE) == "sk-1"
    assert [path.name for path in home.iterdir()] == ["keys"]


def test_servers_that_start_at_once_agree_on_the_key(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: load_key_ring(tmp_path), range(16)))
    assert len({ring.newest for ring in rings}) == 1


def test_rotation_seals_with_a_new_key_and_opens_the_old(tmp_path):
    ring = load_key_ring(tmp_path)
    running = load_key_ring(tmp_path)
    old = ring.seal("sk-1", **PLACE)
    newest = ring.rotate()
    assert ring.open(old, **PLACE) == "sk-1"
    new = ring.seal("sk-2", **PLACE)
    assert new.startswith(f"p1.{newest}.")
    assert running.open(new, **PLACE) == "sk-2", "a running server reads the file again"
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


def test_configured_keys_need_no_file(tmp_path):
    new, old = (base64.b64encode(letter * 32).decode() for letter in (b"n", b"o"))
    ring = load_key_ring(tmp_path / "none", [new, old])
    assert KeyRing([b"n" * 32]).open(ring.seal("x", **PLACE), **PLACE) == "x"
    assert ring.open(KeyRing([b"o" * 32]).seal("y", **PLACE), **PLACE) == "y"
    assert not (tmp_path / "none").exists()
    with pytest.raises(KeyRingError, match="put a new one first"):
        ring.rotate()


@pytest.mark.parametrize("text", ["short", "c2hvcnQ=", "!!!"])
def test_a_malformed_key_is_refused_with_the_way_to_make_one(tmp_path, text):
    with pytest.raises(KeyRingError, match="openssl rand -base64 32"):
        load_key_ring(tmp_path, [text])


def test_digests_stay_the_same_across_rotation_when_the_key_is_named(tmp_path):
    ring = load_key_ring(tmp_path)
    name, digest = ring.newest, ring.digest("secret")
    ring.rotate()
    assert ring.digest("secret", name) == digest
    assert ring.digest("secret") != digest
