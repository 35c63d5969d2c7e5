"""The callbacks that runs owe to their callers: units of work.

A callback is due when its run has ended: whatever ends a run makes it due in the same transaction,
without knowing of callbacks. Who takes one moves its time forward, so no other process takes it meanwhile,
and one that dies on the way leaves it to be taken again.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from perdure.db.rows import fields_of, picked
from perdure.runs.store import RunRow
from perdure.runs.tables import runs

ENDED = ("completed", "failed", "cancelled")
SELECT_DUE = (
    select(runs.c.id)
    .where(
        runs.c.callback_due <= bindparam("moment"),
        runs.c.callback_tries < bindparam("tries"),
        runs.c.status.in_(ENDED),
    )
    .order_by(runs.c.callback_due)
    .limit(bindparam("most"))
)
TAKE_DUE = (
    update(runs)
    .where(runs.c.id.in_(SELECT_DUE.with_for_update(skip_locked=True)))
    .values(callback_due=bindparam("until"), callback_tries=runs.c.callback_tries + 1)
    .returning(*(runs.c[name] for name in fields_of(RunRow)), runs.c.callback_tries)
)


@dataclass(frozen=True, slots=True)
class Due:
    """A callback to be made, for the `tries`-th time."""

    run: RunRow
    tries: int


def any_due(conn: Connection, moment: datetime, tries: int) -> bool:
    """Whether there is a callback to be made that was not tried `tries` times yet."""
    return conn.execute(SELECT_DUE, {"moment": moment, "tries": tries, "most": 1}).first() is not None


def take_due(conn: Connection, moment: datetime, until: datetime, tries: int, most: int) -> list[Due]:
    """Callbacks to be made now, `most` of them; nobody else gets them before `until`."""
    asked = {"moment": moment, "until": until, "tries": tries, "most": most}
    taken = conn.execute(TAKE_DUE, asked)
    return [Due(picked(RunRow, row), row.callback_tries) for row in taken]


def note_try(
    conn: Connection,
    due: Due,
    *,
    sent_at: datetime,
    status_code: int | None,
    error: str | None,
    again: datetime | None,
) -> None:
    """Store what came of a try, and when the next is due; a later try's outcome stays."""
    conn.execute(
        update(runs)
        .where(runs.c.id == due.run.id, runs.c.callback_tries == due.tries)
        .values(
            callback_sent_at=sent_at,
            callback_status_code=status_code,
            callback_error=error,
            callback_due=again,
        )
    )
