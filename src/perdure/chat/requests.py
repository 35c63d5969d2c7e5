"""A request to an agent, and what is kept of it while its run is open: any process can go on with that."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from perdure.agents.schemas.types import MultitaskStrategy
from perdure.chat.schemas import TurnOptions
from perdure.content.codec import from_json, to_json
from perdure.loop.approvals import Reply
from perdure.messages.store import Draft
from perdure.runs.store import RunRow
from perdure.tenancy.actor import Actor

NAMED = ("role", "name", "otid", "sender_id", "group_id")


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the caller reads the run, and what becomes of it where nobody says so: `strategy`.

    `lineage` is what a run that another run asked for tells of that, in its metadata.
    """

    run_type: str
    tokens: bool = False
    pings: bool = False
    background: bool = False
    strategy: MultitaskStrategy = "reject"
    callback_url: str | None = None
    lineage: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks what, in which thread, and wishes to read it how."""

    actor: Actor
    thread_id: str
    options: TurnOptions
    delivery: Delivery
    drafts: tuple[Draft, ...] = ()
    reply: Reply | None = None

    def stored(self, *, waiting: bool = False, waited: bool = False) -> dict[str, Any]:
        """As plain values; with its messages while they wait to be said, later with a word that they did."""
        kept: dict[str, Any] = {
            "user_id": self.actor.user_id,
            "options": self.options.model_dump(mode="json", exclude_unset=True),
            "delivery": asdict(self.delivery),
        }
        if waiting:
            kept["drafts"] = [_stored_draft(draft) for draft in self.drafts]
        return kept | {"waited": True} if waited else kept


def asked_in(run: RunRow, request: Mapping[str, Any] | None) -> Asked:
    """The request of an open run again; an empty one where nothing was kept of it."""
    if request is None:
        return Asked(Actor(run.organization_id), run.thread_id, TurnOptions.model_validate({}), Delivery(""))
    return Asked(
        Actor(run.organization_id, request["user_id"]),
        run.thread_id,
        TurnOptions.model_validate(request["options"]),
        Delivery(**request["delivery"]),
        drafts_in(request),
    )


def has_waited(request: Mapping[str, Any] | None) -> bool:
    """Whether a run that has begun was in line before: its stream is kept."""
    return bool(request and request.get("waited"))


def drafts_in(request: Mapping[str, Any]) -> tuple[Draft, ...]:
    """The messages that a stored request waits to say."""
    return tuple(map(_draft, request.get("drafts", ())))


def _draft(stored: Mapping[str, Any]) -> Draft:
    named = {name: stored[name] for name in NAMED}
    return Draft(parts=from_json(stored["parts"]), **named)


def _stored_draft(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in NAMED} | {"parts": to_json(draft.parts)}
