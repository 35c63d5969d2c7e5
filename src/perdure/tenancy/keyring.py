"""The key ring: seals secrets at rest with AES-256-GCM, and knows the keys of earlier days.

A sealed secret is `p1.<key id>.<base64url of nonce and ciphertext>`, bound to its table, row and
organization: copied to another row it does not open. The first key of the ring seals, all open.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from perdure.kit.errors import PerdureError

VERSION = "p1"
KEY_BYTES = 32
NONCE_BYTES = 12
FILE_NAME = "keys"
ADVICE = "`openssl rand -base64 32` makes one"


class KeyRingError(PerdureError):
    """A key is missing or malformed, or a sealed secret does not open."""


class KeyRing:
    """Keys, newest first. With a `path` they live in a file, read again when an unknown key turns up."""

    def __init__(self, keys: Sequence[bytes], path: Path | None = None):
        if not keys:
            raise KeyRingError(f"The key ring is empty; give it a key of {KEY_BYTES} bytes ({ADVICE}).")
        self.path = path
        self._keys: dict[str, bytes] = {}
        self._hold(keys)

    def _hold(self, keys: Sequence[bytes]) -> None:
        self._keys = {key_id(key): key for key in keys}
        self.newest = key_id(keys[0])

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, newest first; they tell nothing of the keys."""
        return tuple(self._keys)

    def seal(self, plain: str, *, table: str, row: str, organization: str) -> str:
        """Encrypt a secret for one row."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound = _bound_to(table, row, organization)
        sealed = nonce + _cipher(self._keys[self.newest]).encrypt(nonce, plain.encode(), bound)
        return f"{VERSION}.{self.newest}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def open(self, token: str, *, table: str, row: str, organization: str) -> str:
        """The secret again; raises `KeyRingError` when the key is gone or the token is another row's."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see _cipher

        name, sealed = _parse(token, table, row)
        cipher = _cipher(self._key(name, f"the secret of {row} in {table}"))
        bound = _bound_to(table, row, organization)
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound).decode()
        except InvalidTag as error:
            raise KeyRingError(
                f"The secret of {row} in {table} was changed or belongs to another row; set it again."
            ) from error

    def is_newest(self, token: str) -> bool:
        """Whether a sealed secret was sealed with the newest key."""
        return token.startswith(f"{VERSION}.{self.newest}.")

    def digest(self, secret: str, name: str | None = None, *, purpose: str = "perdure api keys") -> str:
        """A keyed digest of an API key or of another `purpose`, under the newest or the named key."""
        key = self._key(name or self.newest, "a key or a token")
        pepper = hmac.digest(key, purpose.encode(), "sha256")
        return hmac.digest(pepper, secret.encode(), "sha256").hex()

    def rotate(self) -> str:
        """Add a new key, which seals from now on, to the key file; returns its id."""
        if self.path is None:
            raise KeyRingError(
                f"The keys come from PERDURE_ENCRYPTION_KEYS: put a new one first there ({ADVICE}), keep the "
                "old ones behind it, restart all servers, then run `perdure keys rotate` again."
            )
        keys = [secrets.token_bytes(KEY_BYTES), *_read(self.path)]
        temporary = _write_beside(self.path, keys)
        temporary.replace(self.path)
        self._hold(keys)
        return self.newest

    def _key(self, name: str, what: str) -> bytes:
        if name not in self._keys and self.path is not None:
            self._hold(_read(self.path))
        if name not in self._keys:
            where = self.path or "PERDURE_ENCRYPTION_KEYS"
            raise KeyRingError(f"Key {name}, which sealed {what}, is not in {where}; put it back there.")
        return self._keys[name]


def load_key_ring(home: Path, configured: Sequence[str] = ()) -> KeyRing:
    """The ring of the configured keys (base64, newest first), or of `home`'s key file, made if missing."""
    if configured:
        return KeyRing([_decode_key(text, "PERDURE_ENCRYPTION_KEYS") for text in configured])
    path = home / FILE_NAME
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = _write_beside(path, [secrets.token_bytes(KEY_BYTES)])
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            os.link(temporary, path)
        temporary.unlink()
    return KeyRing(_read(path), path)


def key_id(key: bytes) -> str:
    """A short public name for a key."""
    return hashlib.sha256(b"perdure key id" + key).hexdigest()[:8]


def _bound_to(table: str, row: str, organization: str) -> bytes:
    return "|".join((VERSION, table, row, organization)).encode()


def _parse(token: str, table: str, row: str) -> tuple[str, bytes]:
    version, _, rest = token.partition(".")
    name, _, text = rest.partition(".")
    if version != VERSION or not text:
        raise KeyRingError(f"The secret of {row} in {table} is not in a format this version knows.")
    return name, base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _read(path: Path) -> list[bytes]:
    lines = [line.strip() for line in path.read_text().splitlines()]
    return [_decode_key(line, str(path)) for line in lines if line and not line.startswith("#")]


def _write_beside(path: Path, keys: Sequence[bytes]) -> Path:
    """The key file under a temporary name, readable by its owner alone and safely on the disk."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w") as file:
        file.write("# The keys that seal Perdure's secrets, newest first. Losing them loses the secrets.\n")
        file.writelines(base64.b64encode(key).decode() + "\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _decode_key(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyRingError(f"A key in {where} is not {KEY_BYTES} bytes in base64; {ADVICE}.")
    return key


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - 50 ms of import

    return AESGCM(key)
