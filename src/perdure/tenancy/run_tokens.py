"""Short-lived tokens for tools that call this server back: signed, never stored, and good for little.

A token speaks for the organization and user of the run whose tool holds it, in the routes of `may_call`
only, and until the call of the tool must have ended, however late it began (`lifetime`). It is
`perdure_run_<key id>.<what it says>.<its mac>`.
"""

import base64
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

import orjson

from perdure.kit.clock import now
from perdure.kit.errors import Forbidden
from perdure.kit.ids import is_id
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing, KeyRingError

PREFIX = "perdure_run_"
PURPOSE = "perdure run tokens"
PARTS = 3
QUEUE, GRACE = timedelta(minutes=5), timedelta(seconds=5)  # for the wait in line, and for an end that is late
PROGRAM, CALLS = "program", "/v1/tools/call"  # the prefix of a program's id, and the one route it may call
RUNS_TOOL = re.compile(r"/v1/(agents/[^/]+/)?tools/([^/]+/)?run/?$")
# What would place code, which agents then run with their secrets, give an agent further tools, or do
# without a person's approval.
CHANGES_TOOLS = re.compile(r"/v1/(tools(/|$)|agents/[^/]+/tools(/|$)|agents/import(/|$))")
WIDENING = ("tools", "tool_ids", "tool_rules", "secrets")  # the same as fields of agents
READS = frozenset({"GET", "HEAD", "OPTIONS"})
ALSO_READS = frozenset({"/v1/tools/search", CALLS})  # which have bodies, so that they are no GET
# What an agent is made of, what it said and what it is doing. Whatever is not named here is refused.
ALLOWED = frozenset(
    {
        "agents",
        "archives",
        "blocks",
        "conversations",
        "folders",
        "groups",
        "health",
        "identities",
        "jobs",
        "messages",
        "models",
        "passages",
        "runs",
        "sources",
        "steps",
        "tags",
        "tools",
    }
)


def lifetime(wall_seconds: float, install_seconds: float = 0.0) -> timedelta:
    """How long a token must last, as it is made before the call waits in line and for its packages."""
    return QUEUE + timedelta(seconds=install_seconds + wall_seconds) + GRACE


def issue(ring: KeyRing, actor: Actor, tool_of: str, lifetime: timedelta) -> str:
    """A token for a tool of the run `tool_of` (of the agent, where no run calls it)."""
    expires = (now() + lifetime).timestamp()
    said = _encoded(orjson.dumps([actor.organization_id, actor.user_id, tool_of, expires]))
    return f"{PREFIX}{ring.newest}.{said}.{ring.digest(said, purpose=PURPOSE)}"


def read(ring: KeyRing, token: str, at: datetime) -> Actor | None:
    """Who speaks with a token; None where it is not ours or has expired."""
    parts = token.removeprefix(PREFIX).split(".")
    if len(parts) != PARTS:
        return None
    key, said, mac = parts
    try:
        right = secrets.compare_digest(ring.digest(said, key, purpose=PURPOSE).encode(), mac.encode())
    except KeyRingError:
        return None
    if not right:
        return None
    organization_id, user_id, tool_of, expires = orjson.loads(_decoded(said))
    return Actor(organization_id, user_id, tool_of=tool_of) if expires > at.timestamp() else None


def is_run_token(credential: str) -> bool:
    """Whether a credential is meant to be one of these."""
    return credential.startswith(PREFIX)


def check_call(path: str, tool_of: str = "", method: str = "GET") -> None:
    """Raise `Forbidden` where a tool's token opens no door: keys, secrets, settings, tools run or changed.

    That of a program which a model has written opens nothing but the calls of its agent's tools.
    """
    if is_id(PROGRAM, tool_of):
        if path.rstrip("/") != CALLS:
            raise Forbidden(f"A program's token does not open {path}: it is for calls of its agent's tools.")
        return
    _, _, first, *rest = [*path.split("/"), "", ""]
    if first not in ALLOWED or (first == "tools" and rest[0] == "mcp"):
        raise Forbidden(f"A tool's token does not open {path}: it is for agents, and what they remember.")
    if RUNS_TOOL.match(path):
        raise Forbidden(
            "A tool cannot have another tool run: call its code, or message an agent that has it."
        )
    if method not in READS and path.rstrip("/") not in ALSO_READS and CHANGES_TOOLS.match(path):
        raise Forbidden("A tool reads tools; it does not make, attach, change or approve them.")


def check_fields(actor: Actor, fields: Collection[str]) -> None:
    """Raise `Forbidden` where a tool sets what an agent may do."""
    if actor.tool_of and (named := [name for name in WIDENING if name in fields]):
        raise Forbidden(f"A tool cannot set {', '.join(named)} of an agent: what it may do is for a person.")


def _encoded(said: bytes) -> str:
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
