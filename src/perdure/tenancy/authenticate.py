"""From a request to its actor: keys, the `user_id` header, and the open server on loopback."""

import ipaddress
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from sqlalchemy import Connection
from starlette.requests import HTTPConnection

from perdure.db import Database
from perdure.kit.addresses import FROM_A_JOB
from perdure.kit.clock import now
from perdure.kit.errors import Forbidden, InvalidArgument, PerdureError, Unauthorized
from perdure.kit.ids import is_id
from perdure.tenancy import keys, run_tokens, store
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing

REMEMBERED_SECONDS = 4.0
REMEMBERED = 4096
ROOT = Actor(admin=True)

Prepare = Callable[[Connection, str], None]


class NotAllowed(Unauthorized):
    """No valid key; tells how one is shown and where one comes from."""

    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}

    def __init__(self, reason: str):
        super().__init__(f"Unauthorized: {reason}")


class UnsafeBinding(PerdureError):
    """The server would be open to others without asking for a key."""

    status = 400


class Authenticator:
    """Tells who calls. Answers are remembered for some seconds, so a revoked key works that long at most.

    Without a configured key and without keys in the database the server is open to programs on this
    machine; pages of other origins are refused there. `prepare` runs once for each organization
    before its first request.
    """

    def __init__(
        self, db: Database, ring: KeyRing, api_key: str | None = None, *, loopback: bool = True,
        prepare: Prepare | None = None,
    ):  # fmt: skip
        self._db = db
        self._ring = ring
        self._api_key = api_key.encode() if api_key else None
        self._locked = bool(api_key) or not loopback
        self._looked_at = float("-inf")
        self._prepare = prepare
        self._prepared: set[str] = set()
        self._remembered: dict[tuple[str, str], tuple[float, Actor]] = {}

    async def __call__(self, request: HTTPConnection) -> Actor:
        """The actor of a request; raises `NotAllowed` and other errors of the 400s."""
        actor = await self._actor(request.headers)
        if actor.tool_of:
            run_tokens.check_call(request.scope["path"], actor.tool_of, request.scope.get("method", "GET"))
        return actor

    async def _actor(self, headers: Mapping[str, str]) -> Actor:
        if not self._locked:
            await self._look()
        if not self._locked:
            refuse_foreign_pages(headers)
        credential = _credential(headers)
        if not self._locked and not run_tokens.is_run_token(credential):
            if FROM_A_JOB in headers:
                raise NotAllowed(
                    "a tool calls this server with the token in LETTA_API_KEY; what this server fetches for "
                    "others is never itself."
                )
            credential = ""
        asked = (credential, headers.get("user_id") or "")
        known = self._remembered.get(asked)
        if known and known[0] > time.monotonic():
            return known[1]
        actor = await self._identify(*asked)
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[asked] = (time.monotonic() + REMEMBERED_SECONDS, actor)
        return actor

    def forget(self) -> None:
        """Drop what is remembered: after keys or users changed in this process."""
        self._remembered.clear()
        self._looked_at = float("-inf")

    async def _look(self) -> None:
        """See from time to time whether keys were made; once locked, the server stays so."""
        if self._looked_at + REMEMBERED_SECONDS > time.monotonic():
            return
        self._locked = await self._db.read(keys.any_key)
        self._looked_at = time.monotonic()  # not before: nobody may pass while the answer is out
        if self._locked:
            self._remembered.clear()

    async def _identify(self, credential: str, user_id: str) -> Actor:
        actor = await self._of_credential(credential) if self._locked or credential else ROOT
        if user_id:
            actor = await self._as_user(actor, user_id)
        if self._prepare and actor.organization_id not in self._prepared:
            await self._db.write(self._prepare, actor.organization_id)
            self._prepared.add(actor.organization_id)
        return actor

    async def _of_credential(self, credential: str) -> Actor:
        if not credential:
            raise NotAllowed(
                "this server wants a key. Send `Authorization: Bearer <key>`; `perdure keys create NAME` "
                "makes one."
            )
        if self._api_key and secrets.compare_digest(credential.encode(), self._api_key):
            return ROOT
        if run_tokens.is_run_token(credential):
            if actor := run_tokens.read(self._ring, credential, now()):
                return actor
            raise NotAllowed("this token of a tool has expired, or it is not this server's.")
        row = await self._db.read(keys.find_key, credential)
        if row is None or not keys.is_right(self._ring, row, credential):
            raise NotAllowed("this key is unknown, revoked or expired.")
        return row.actor

    async def _as_user(self, actor: Actor, user_id: str) -> Actor:
        """The actor as the user its header names: of any organization where the caller may do all."""
        if not is_id("user", user_id):
            raise InvalidArgument("The header user_id must be an id such as user-<uuid4>; or leave it out.")
        user = await self._db.read(store.get_user, user_id)
        if actor is not ROOT and user.organization_id != actor.organization_id:
            raise store.UserNotFound(user_id)
        return replace(actor, organization_id=user.organization_id, user_id=user.id)


def guard_binding(host: str, *, has_key: bool) -> None:
    """Refuse to listen for others when nothing asks them for a key."""
    if not has_key and not is_loopback(host):
        raise UnsafeBinding(
            f"Listening on {host} would let anyone on the network use this server. Set PERDURE_API_KEY or "
            "make a key with `perdure keys create NAME` first; or listen on 127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    """Whether a host, as an address or a name, is this machine and nobody else can reach it."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def refuse_foreign_pages(headers: Mapping[str, str]) -> None:
    """Refuse browsers' requests from elsewhere: an open server trusts this machine, not its web pages."""
    origin = headers.get("origin")
    host = headers.get("host", "localhost")
    named = urlsplit(f"//{host}").hostname or ""
    if is_loopback(named) and (origin is None or is_loopback(urlsplit(origin).hostname or "")):
        return
    raise Forbidden(
        f"Without a key this server answers this machine only, not {origin or host}. "
        "Set PERDURE_API_KEY and send it as `Authorization: Bearer <key>`."
    )


def _credential(headers: Mapping[str, str]) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    word, _, password = headers.get("x-bare-password", "").partition(" ")
    return password.strip() if word == "password" else ""
