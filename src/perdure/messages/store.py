"""Threads and messages: units of work.

A thread is one history. Its context is the list of messages the model sees, in order; every
message ever said stays stored, in context or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, or_, select, update

from perdure.content.codec import from_json, to_json
from perdure.content.parts import Message, Part, Role, Text, calls_of, returns_of
from perdure.db.prepared import Prepared
from perdure.db.search import NewEntry, index
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument, NotFound
from perdure.kit.ids import is_id, new_id
from perdure.kit.paging import Page, paginate
from perdure.kit.text import storable
from perdure.messages.spoken import searchable
from perdure.messages.tables import MESSAGES, context_entries, messages, shared_messages, threads
from perdure.tenancy.actor import Actor, is_owned, one, owned

TICK = timedelta(microseconds=1)


class MessageNotFound(NotFound):
    """No such message for this organization."""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A stored message. `created_at` grows strictly within a thread."""

    id: str
    organization_id: str
    agent_id: str
    thread_id: str
    role: Role
    parts: tuple[Part, ...]
    created_at: datetime
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None
    run_id: str | None = None
    step_id: str | None = None
    is_err: bool = False

    def said(self) -> Message:
        """What a model is told of it."""
        return Message(self.role, self.parts, self.name)


FIELDS = tuple(MessageRow.__dataclass_fields__)
PICK = itemgetter(*(messages.c.keys().index(name) for name in FIELDS))

INSERT_MESSAGE = Prepared(insert(messages))
INSERT_ENTRY = Prepared(insert(context_entries))
SELECT_THREAD = Prepared(
    select(
        threads.c.id,
        threads.c.organization_id,
        threads.c.agent_id,
        threads.c.prompt_message_id,
        threads.c.prompt_fingerprint,
        select(func.coalesce(func.max(context_entries.c.position), 0))
        .where(context_entries.c.thread_id == threads.c.id)
        .scalar_subquery(),
        select(func.max(messages.c.created_at)).where(messages.c.thread_id == threads.c.id).scalar_subquery(),
    ).where(threads.c.id == bindparam("id"), threads.c.organization_id == bindparam("organization_id"))
)
IN_CONTEXT = (
    select(*(messages.c[name] for name in FIELDS))
    .join(context_entries, context_entries.c.message_id == messages.c.id)
    .where(context_entries.c.thread_id == bindparam("thread_id"))
)
SELECT_CONTEXT = Prepared(IN_CONTEXT.order_by(context_entries.c.position))


@dataclass(frozen=True, slots=True)
class Draft:
    """A message about to be stored; `append` gives it its place and time."""

    role: Role
    parts: tuple[Part, ...]
    id: str | None = None
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None
    run_id: str | None = None
    step_id: str | None = None
    is_err: bool = False


@dataclass(frozen=True, slots=True)
class Thread:
    """Whose history a message belongs to, and where it ends: what comes next is placed after that."""

    id: str
    organization_id: str
    agent_id: str
    prompt_message_id: str
    prompt_fingerprint: str
    last_position: int = 0
    last_moment: datetime | None = None


def open_thread(
    conn: Connection,
    actor: Actor,
    agent_id: str,
    thread_id: str,
    system_text: str,
    fingerprint: str,
    extra: Sequence[Draft] = (),
) -> Thread:
    """Begin a thread with its compiled system message and perhaps further first messages."""
    thread = Thread(thread_id, actor.organization_id, agent_id, new_id("message"), fingerprint)
    conn.execute(
        insert(threads).values(
            id=thread_id,
            organization_id=actor.organization_id,
            agent_id=agent_id,
            prompt_message_id=thread.prompt_message_id,
            prompt_fingerprint=fingerprint,
            created_at=now(),
        )
    )
    prompt = Draft("system", (Text(system_text),), id=thread.prompt_message_id)
    return append(conn, thread, [prompt, *extra])[0]


def get_thread(conn: Connection, actor: Actor, thread_id: str) -> Thread:
    """The thread, or `NotFound`."""
    row = SELECT_THREAD.first(conn, {"id": thread_id, "organization_id": actor.organization_id})
    if row is None:
        raise NotFound(f"No thread {thread_id}.")
    return Thread(*row)


def run_that_said(conn: Connection, thread_id: str, otids: Sequence[str]) -> str | None:
    """The run whose input had all these otids of the sender's in a thread; None where there is none."""
    found = conn.execute(
        select(messages.c.run_id, messages.c.otid).where(
            messages.c.thread_id == thread_id, messages.c.otid.in_(otids), messages.c.run_id.is_not(None)
        )
    ).all()
    saying = {row.run_id for row in found}
    return next(
        (run for run in saying if {row.otid for row in found if row.run_id == run} == set(otids)), None
    )


def lock_thread(conn: Connection, thread_id: str) -> None:
    """Let others who lock the thread wait until this transaction ends; SQLite has one writer anyway."""
    if conn.dialect.name != "sqlite":
        conn.execute(select(threads.c.id).where(threads.c.id == thread_id).with_for_update(key_share=True))


def append(
    conn: Connection, thread: Thread, drafts: Sequence[Draft], *, aside: bool = False
) -> tuple[Thread, list[MessageRow]]:
    """Store messages at the end of a thread and of its context; the thread as it is then, and the rows.

    Those said `aside` do not come into the context.
    """
    if not drafts:
        return thread, []
    rows: list[MessageRow] = []
    moment = thread.last_moment
    for draft in drafts:
        moment = max(now(), moment + TICK) if moment else now()
        rows.append(_placed(draft, thread, moment))
    entries: list[NewEntry] = []
    for row in rows:
        values = _values(row)
        INSERT_MESSAGE.later(conn, values)
        if values["text"] and row.id != thread.prompt_message_id:
            entries.append(NewEntry(row.id, row.agent_id, values["text"], series=row.thread_id))
    if entries:
        index(conn, MESSAGES, thread.organization_id, entries)
    if aside:
        return replace(thread, last_moment=moment), rows
    for position, row in enumerate(rows, thread.last_position + 1):
        INSERT_ENTRY.later(conn, {"thread_id": thread.id, "position": position, "message_id": row.id})
    return replace(thread, last_position=thread.last_position + len(rows), last_moment=moment), rows


def _placed(draft: Draft, thread: Thread, moment: datetime) -> MessageRow:
    return MessageRow(
        id=draft.id or new_id("message"),
        organization_id=thread.organization_id,
        agent_id=thread.agent_id,
        thread_id=thread.id,
        role=draft.role,
        parts=storable(draft.parts),
        created_at=moment,
        name=storable(draft.name),
        otid=storable(draft.otid),
        sender_id=storable(draft.sender_id),
        group_id=storable(draft.group_id),
        run_id=draft.run_id,
        step_id=draft.step_id,
        is_err=draft.is_err,
    )


def _values(row: MessageRow) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(row, name) for name in FIELDS}
    return values | {"parts": to_json(row.parts), "text": searchable(row.parts)}


def message_row(row: Row[Any]) -> MessageRow:
    """The message of a full row of `messages`."""
    return _of_fields(PICK(row))


def _of_fields(row: Sequence[Any]) -> MessageRow:
    id, organization_id, agent_id, thread_id, role, parts, *rest = row
    return MessageRow(id, organization_id, agent_id, thread_id, role, from_json(parts), *rest)


def context(conn: Connection, thread_id: str) -> list[MessageRow]:
    """What the model sees of a thread, in order, the compiled system message first."""
    return [_of_fields(row) for row in SELECT_CONTEXT.all(conn, {"thread_id": thread_id})]


def context_end(conn: Connection, thread_id: str, count: int) -> list[MessageRow]:
    """The last messages of a thread's context, in order."""
    newest = IN_CONTEXT.order_by(context_entries.c.position.desc()).limit(count)
    return [_of_fields(row) for row in conn.execute(newest, {"thread_id": thread_id})][::-1]


def context_ids(conn: Connection, thread_id: str) -> list[str]:
    """The ids of the messages in context, in order."""
    query = select(context_entries.c.message_id).where(context_entries.c.thread_id == thread_id)
    return list(conn.execute(query.order_by(context_entries.c.position)).scalars())


def set_context(conn: Connection, thread: Thread, ids: Sequence[str]) -> None:
    """Make these messages of the same agent the context, in this order; nothing is deleted.

    They end where the old context ended, so that a turn at work still finds the place behind it free.
    """
    query = select(messages.c.id).where(messages.c.agent_id == thread.agent_id, messages.c.id.in_(ids))
    unknown = set(ids) - set(conn.execute(query).scalars())
    if unknown:
        raise InvalidArgument(f"message_ids: this agent has no message {', '.join(sorted(unknown))}.")
    if len(set(ids)) != len(ids):
        raise InvalidArgument("message_ids: a message can be in context only once.")
    conn.execute(delete(context_entries).where(context_entries.c.thread_id == thread.id))
    if ids:
        conn.execute(
            insert(context_entries),
            [
                {"thread_id": thread.id, "position": position, "message_id": id}
                for position, id in enumerate(ids, thread.last_position - len(ids) + 1)
            ],
        )


def prompt_of(conn: Connection, thread_id: str) -> tuple[str, str] | None:
    """The stored compiled system prompt and the fingerprint of what it was made from."""
    row = conn.execute(
        select(messages.c.text, threads.c.prompt_fingerprint)
        .join(messages, messages.c.id == threads.c.prompt_message_id)
        .where(threads.c.id == thread_id)
    ).first()
    return (row.text, row.prompt_fingerprint) if row else None


def save_prompt(conn: Connection, thread_id: str, text: str, fingerprint: str) -> None:
    """Store a newly compiled system prompt in its message."""
    prompt_id = conn.execute(
        update(threads)
        .where(threads.c.id == thread_id)
        .values(prompt_fingerprint=fingerprint)
        .returning(threads.c.prompt_message_id)
    ).scalar_one()
    conn.execute(
        update(messages).where(messages.c.id == prompt_id).values(text=text, parts=to_json((Text(text),)))
    )


def get(conn: Connection, actor: Actor, message_id: str) -> MessageRow:
    """One message, or `MessageNotFound`."""
    row = one(conn, messages, actor, message_id)
    if row is None:
        raise MessageNotFound(f"No message {message_id}.")
    return message_row(row)


def list_(conn: Connection, actor: Actor, page: Page, **equal: Any) -> list[MessageRow]:
    """Stored messages whose columns equal the given values (None means any), a page of them.

    A thread's messages are those that `in_thread` tells.
    """
    query = owned(messages, actor)
    thread_id = equal.pop("thread_id", None)
    if thread_id is not None:
        query = query.where(in_thread(thread_id))
    for name, value in equal.items():
        if value is not None:
            query = query.where(messages.c[name] == value)
    return [
        message_row(row) for row in paginate(conn, query, page, key=messages.c.created_at, id=messages.c.id)
    ]


def in_thread(thread_id: str) -> ColumnElement[bool]:
    """The messages of a thread: those said in it, and in a fork those it shares with where it came from."""
    said = messages.c.thread_id == thread_id
    if is_id("agent", thread_id):  # no fork
        return said
    shared = select(shared_messages.c.message_id).where(shared_messages.c.thread_id == thread_id)
    return or_(said, messages.c.id.in_(shared))


def of_run(
    conn: Connection, run_id: str, roles: Sequence[Role] = (), after: datetime | None = None
) -> list[MessageRow]:
    """What was said in a run in these roles, or in any, after a moment; in order, for who works on it."""
    query = select(messages).where(messages.c.run_id == run_id)
    if roles:
        query = query.where(messages.c.role.in_(roles))
    if after:
        query = query.where(messages.c.created_at > after)
    return [message_row(row) for row in conn.execute(query.order_by(messages.c.created_at, messages.c.id))]


def run_asking_before(conn: Connection, thread_id: str, moment: datetime) -> str | None:
    """The run of the last request for approval that was said in a thread before a moment."""
    asked = select(messages.c.run_id, messages.c.parts).where(
        in_thread(thread_id), messages.c.role == "approval", messages.c.created_at < moment
    )
    for row in conn.execute(asked.order_by(messages.c.created_at.desc(), messages.c.id)):
        if calls_of(from_json(row.parts)):
            return row.run_id
    return None


def count(conn: Connection, actor: Actor, thread_id: str) -> int:
    """How many messages a thread has."""
    query = select(func.count()).select_from(messages)
    return conn.execute(query.where(is_owned(messages, actor), in_thread(thread_id))).scalar_one()


def tools_by_step(conn: Connection, actor: Actor, run_id: str) -> dict[str, list[str]]:
    """The names of the tools whose returns a run stored, in order, by step; those of no step under ""."""
    query = select(messages.c.step_id, messages.c.parts).where(
        is_owned(messages, actor), messages.c.run_id == run_id, messages.c.role == "tool"
    )
    found: dict[str, list[str]] = {}
    for step_id, parts in conn.execute(query.order_by(messages.c.created_at)):
        found.setdefault(step_id or "", []).extend(part.name for part in returns_of(from_json(parts)))
    return found
