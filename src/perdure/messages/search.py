"""Searching what was said. One search for the agents' tools and for clients."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from perdure.db.search import Hit, Mode, Wanted, beside, lexemes
from perdure.db.search import search as search_corpus
from perdure.messages.store import MessageRow, in_thread, message_row
from perdure.messages.tables import MESSAGES, messages, threads
from perdure.tenancy.actor import Actor, is_owned, owned


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; null means any. From `start` on, before `end`; nothing of `except_run`.

    `thread_id` `default` means the agents' own histories, outside of any conversation. `vectors` is the
    query in the spaces of the messages' vectors.
    """

    query: str = ""
    roles: Sequence[str] = ("user", "assistant")
    agent_id: str | None = None
    thread_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    except_run: str | None = None
    limit: int = 50
    mode: Mode = "hybrid"
    vectors: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message, and how well it fits: null where nothing was looked for."""

    row: MessageRow
    hit: Hit | None = None


def search(conn: Connection, actor: Actor, wanted: Search) -> list[FoundMessage]:
    """The messages that fit best; without a word in the query simply the latest.

    Compiled system prompts, which nobody said, are never found.
    """
    conditions = [*_place(actor, wanted), *_said(wanted)]
    if not lexemes(wanted.query):
        query = owned(messages, actor).where(*conditions, messages.c.text != "")
        latest = query.order_by(messages.c.created_at.desc(), messages.c.id.desc()).limit(wanted.limit)
        return [FoundMessage(message_row(row)) for row in conn.execute(latest)]
    hits = search_corpus(
        conn,
        MESSAGES,
        Wanted(
            actor.organization_id,
            wanted.query,
            scopes=_scopes(wanted),
            where=and_(*conditions),
            vectors=wanted.vectors,
            mode=wanted.mode,
            limit=wanted.limit,
        ),
    )
    rows = _by_ids(conn, actor, [hit.id for hit in hits])
    return [FoundMessage(rows[hit.id], hit) for hit in hits if hit.id in rows]


def behind(last: datetime | None) -> datetime | None:
    """Where a search ends that shall find what was said up to a time, that included; null: nowhere."""
    try:
        return last and last + timedelta(microseconds=1)
    except OverflowError:
        return None


Surroundings = Mapping[str, tuple[MessageRow | None, MessageRow | None]]


def surroundings(conn: Connection, actor: Actor, wanted: Search, ids: Sequence[str]) -> Surroundings:
    """What was said right before and after each of these messages, where the search may look."""
    near = beside(conn, MESSAGES, ids)
    wanted_ids = [id for pair in near.values() for id in pair if id]
    rows = _by_ids(conn, actor, wanted_ids, _place(actor, wanted))
    return {
        id: (rows.get(before) if before else None, rows.get(after) if after else None)
        for id, (before, after) in near.items()
    }


def _by_ids(
    conn: Connection, actor: Actor, ids: Sequence[str], conditions: Iterable[ColumnElement[bool]] = ()
) -> dict[str, MessageRow]:
    rows = conn.execute(owned(messages, actor).where(messages.c.id.in_(ids), *conditions)) if ids else ()
    return {row.id: message_row(row) for row in rows}


def _scopes(wanted: Search) -> list[str] | None:
    """The agents whose messages are looked at, as far as the search names them: what else, filters say."""
    return None if wanted.agent_id is None else [wanted.agent_id]


def _place(actor: Actor, wanted: Search) -> list[ColumnElement[bool]]:
    """Where the search may look."""
    place: list[ColumnElement[bool]] = []
    if wanted.agent_id is not None:
        place.append(messages.c.agent_id == wanted.agent_id)
    if wanted.thread_id == "default":
        place.append(messages.c.thread_id == messages.c.agent_id)
    elif wanted.thread_id is not None:
        place.append(in_thread(wanted.thread_id))
    if wanted.except_run is not None:
        place.append(or_(messages.c.run_id.is_(None), messages.c.run_id != wanted.except_run))
    if "system" in wanted.roles:
        prompts = select(threads.c.prompt_message_id).where(is_owned(threads, actor))
        place.append(messages.c.id.not_in(prompts))
    else:
        place.append(messages.c.role != "system")
    return place


def _said(wanted: Search) -> list[ColumnElement[bool]]:
    """By whom and when."""
    said: list[ColumnElement[bool]] = [messages.c.role.in_(wanted.roles)]
    if wanted.start is not None:
        said.append(messages.c.created_at >= wanted.start)
    if wanted.end is not None:
        said.append(messages.c.created_at < wanted.end)
    return said
