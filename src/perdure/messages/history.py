"""Reading what was said, in pages.

One stored message may be shown as several that share its id, or as none. A page ends at a stored
message's end, so that the id of its last item is a cursor that neither skips nor repeats.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from perdure.kit.errors import NotFound
from perdure.kit.paging import Page
from perdure.messages import store
from perdure.messages.render import render, render_all
from perdure.messages.schemas import LettaMessage
from perdure.messages.spoken import MessageTool
from perdure.messages.store import MessageRow
from perdure.tenancy.actor import Actor

PORTION = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages, and how to show them."""

    agent_id: str | None = None
    thread_id: str | None = None
    run_id: str | None = None
    step_id: str | None = None
    group_id: str | None = None
    is_err: bool | None = None
    types: Sequence[str] | None = None
    tool: tuple[str, str] | None = None


def list_messages(conn: Connection, actor: Actor, page: Page, wanted: Wanted) -> list[LettaMessage]:
    """A page of wire messages in the order asked for: at most `limit`, or one stored message's worth.

    `before` alone means the older messages next to the cursor, oldest first, whatever the order: this is
    how chat clients page back through a history.
    """
    if page.before and not page.after:
        page = replace(page, order="asc")
    for cursor in (page.before, page.after):
        if cursor:
            _check_cursor(conn, actor, cursor)
    tool = MessageTool(*wanted.tool) if wanted.tool else None
    backward = page.before is not None and page.after is None
    flipped = (page.order == "desc") != backward
    shown: list[LettaMessage] = []
    for row in _walk(conn, actor, page, wanted, backward):
        pieces = render_all([row], message_tool=tool, types=wanted.types)
        if shown and len(shown) + len(pieces) > page.limit:
            break
        shown += pieces[::-1] if flipped else pieces
        if len(shown) >= page.limit:
            break
    return shown[::-1] if backward else shown


def _walk(conn: Connection, actor: Actor, page: Page, wanted: Wanted, backward: bool) -> Iterator[MessageRow]:
    """Stored messages one by one, away from the cursor, read in growing portions: few may be wanted."""
    while True:
        rows = store.list_(
            conn,
            actor,
            page,
            agent_id=wanted.agent_id,
            thread_id=wanted.thread_id,
            run_id=wanted.run_id,
            step_id=wanted.step_id,
            group_id=wanted.group_id,
            is_err=wanted.is_err,
        )
        yield from reversed(rows) if backward else rows
        if len(rows) < page.limit:
            return
        page = replace(page, limit=max(page.limit, min(PORTION, page.limit * 8)))
        page = replace(page, before=rows[0].id) if backward else replace(page, after=rows[-1].id)


def _check_cursor(conn: Connection, actor: Actor, cursor: str) -> None:
    try:
        store.get(conn, actor, cursor)
    except NotFound as error:
        raise NotFound(f"before/after: there is no message {cursor}.") from error


def show_message(conn: Connection, actor: Actor, message_id: str) -> list[LettaMessage]:
    """One stored message as wire messages."""
    return render(store.get(conn, actor, message_id))
