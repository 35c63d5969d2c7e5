"""Has the helpers of agents look at what was said, in the background: each look is a run of the helper.

Which group is due is stored where turns end (`agents/groups`), so a look is begun once, by any server and
after any crash: it is pinned to the last message it sees before the helper is told, and the helper is told
under a name made of that message, which it takes once.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from perdure.agents.groups import store as groups
from perdure.agents.groups.store import GroupRow
from perdure.chat.requests import Delivery
from perdure.chat.schemas import SendOptions
from perdure.chat.send import Sender
from perdure.chat.settings import SleeptimeSettings
from perdure.chat.transcript import transcript
from perdure.kit.clock import now
from perdure.kit.errors import PerdureError
from perdure.kit.repeat import repeat
from perdure.loop.save import ENDS_OF_TURNS
from perdure.messages.pending import pending_in
from perdure.messages.store import MessageRow, context_end
from perdure.messages.stretch import Place, newest_place, stretch
from perdure.runs import store as runs
from perdure.tenancy.actor import Actor

log = logging.getLogger(__name__)

RUN_TYPE = "sleeptime"
LOOK_SECONDS = 1.0
HOLD = timedelta(seconds=60)
BUSY = timedelta(seconds=2)  # until the helper is asked again whether it is done with the last look
AT_ONCE = 8
PENDING_WITHIN = 8  # messages at the end of a history, where a request for approval stands if there is one
MOST_MESSAGES = 1000
OPEN = ("created", "running")
UNSEEN = {"look_message_id": None, "look_at": None, "look_run_id": None}
ASK = (
    "This was said since you last looked, the newest last. Bring the memory up to date, then finish.\n\n"
    "<transcript>\n{}\n</transcript>"
)


@dataclass(frozen=True, slots=True)
class Look:
    """What a helper is about to be shown."""

    group: GroupRow
    until: Place
    rows: Sequence[MessageRow]


class Sleeptime:
    """Begins the looks that are due."""

    def __init__(self, sender: Sender, settings: SleeptimeSettings):
        self._sender = sender
        self._settings = settings
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin watching."""
        watch = repeat(LOOK_SECONDS, self.begin_due, "helpers of agents could not be woken")
        self._task = asyncio.create_task(watch, name="sleeptime")

    async def close(self) -> None:
        """Stop watching; looks at work are runs like others."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def begin_due(self) -> None:
        """Begin what is due, in the order of coming."""
        db = self._sender.env.db
        if await db.read(groups.any_due, now()):
            for group in await db.write(groups.take_due, now(), now() + HOLD, AT_ONCE):
                await self._begin(group)

    async def _begin(self, group: GroupRow) -> None:
        db, actor = self._sender.env.db, Actor(group.organization_id)
        look = await db.write(next_look, group)
        if look is None:
            return
        text = transcript(look.rows, self._settings.transcript_tokens)
        if not text:
            await db.write(groups.note_look, look.group, {**seen(look.until), **UNSEEN, "due": None})
            return
        try:
            request, delivery = self._request(look, text), _delivery(group)
            run = await self._sender.send(actor, group.helper_agent_id, request, delivery)
        except PerdureError as error:
            log.warning("a helper could not be woken: %s", error.detail, extra={"group_id": group.id})
            await db.write(groups.note_look, look.group, {**UNSEEN, "due": None})
            return
        await db.write(groups.note_look, look.group, {"look_run_id": run.run_id, "due": None})

    def _request(self, look: Look, text: str) -> SendOptions:
        otid = f"{look.group.id}:{look.until.message_id}"
        said = {"role": "user", "content": ASK.format(text), "otid": otid, "group_id": look.group.id}
        steps = self._settings.max_steps
        return SendOptions.model_validate({"messages": [said], "max_steps": steps})


def next_look(conn: Connection, group: GroupRow) -> Look | None:
    """What the helper of a group is to see now; None while it is at the last look, or without news."""
    if group.look_run_id:
        run = runs.find_run(conn, group.look_run_id)
        if run and run.status in OPEN:
            groups.note_look(conn, group, {"due": now() + BUSY})
            return None
        if pending_in(context_end(conn, group.helper_agent_id, PENDING_WITHIN)):
            groups.note_look(conn, group, {"due": None})  # a person is asked; the next turns may find it free
            return None
        group = _after(group, well=bool(run and run.stop_reason in ENDS_OF_TURNS))
    until = _place(group.look_at, group.look_message_id) or newest_place(conn, group.manager_agent_id)
    after = _place(group.seen_at, group.seen_message_id)
    if until is None or until == after:
        groups.note_look(conn, group, {**UNSEEN, **seen(after), "due": None})
        return None
    pinned = {"look_message_id": until.message_id, "look_at": until.at, "look_run_id": None}
    groups.note_look(conn, group, {**pinned, **seen(after)})
    return Look(group, until, stretch(conn, group.manager_agent_id, after, until, MOST_MESSAGES))


def seen(place: Place | None) -> dict[str, object]:
    """The columns that tell up to where a helper has seen what was said."""
    return {"seen_message_id": place and place.message_id, "seen_at": place and place.at}


def _after(group: GroupRow, *, well: bool) -> GroupRow:
    """The group once a look is over: what it saw counts as seen if it ended well, else it is seen again."""
    told = (group.look_message_id, group.look_at) if well else (group.seen_message_id, group.seen_at)
    return replace(
        group,
        seen_message_id=told[0],
        seen_at=told[1],
        look_message_id=None,
        look_at=None,
        look_run_id=None,
    )


def _place(at: datetime | None, message_id: str | None) -> Place | None:
    return Place(at, message_id) if at and message_id else None


def _delivery(group: GroupRow) -> Delivery:
    about = {"group_id": group.id, "manager_agent_id": group.manager_agent_id}
    return Delivery(RUN_TYPE, background=True, strategy="enqueue", lineage=about)
