"""Threads that begin with the history of another, without copying a message; and threads that end."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select, update

from perdure.kit.errors import NotFound
from perdure.messages import store
from perdure.messages.store import TICK, Thread
from perdure.messages.tables import context_entries, messages, shared_messages, threads
from perdure.tenancy.actor import Actor


def fork_thread(
    conn: Connection,
    actor: Actor,
    source: Thread,
    thread_id: str,
    *,
    system_text: str,
    fingerprint: str,
    until: str | None = None,
) -> None:
    """Begin a thread with its own system message and what is in the context of `source`.

    With `until`, only what is there up to that message.
    """
    shared = _until(conn, source, until)
    thread = store.open_thread(conn, actor, source.agent_id, thread_id, system_text, fingerprint)
    if not shared:
        return
    first = select(func.min(messages.c.created_at)).where(messages.c.id.in_(shared))
    # A list by time shows the system message first, as the model sees it.
    before = conn.execute(first).scalar_one() - TICK
    conn.execute(update(messages).where(messages.c.id == thread.prompt_message_id).values(created_at=before))
    pairs = [{"thread_id": thread_id, "message_id": message_id} for message_id in shared]
    conn.execute(insert(shared_messages), pairs)
    entries = [{**pair, "position": at} for at, pair in enumerate(pairs, thread.last_position + 1)]
    conn.execute(insert(context_entries), entries)


def _until(conn: Connection, source: Thread, until: str | None) -> Sequence[str]:
    ids = store.context_ids(conn, source.id)
    if until is not None:
        if until not in ids:
            raise NotFound(f"message_id: there is no message {until} in this conversation's context.")
        ids = ids[: ids.index(until) + 1]
    return [message_id for message_id in ids if message_id != source.prompt_message_id]


def delete_thread(conn: Connection, actor: Actor, thread_id: str) -> None:
    """Delete a thread and what was said in it; what a fork shares lives on there."""
    thread = store.get_thread(conn, actor, thread_id)
    elsewhere = shared_messages.c.thread_id != thread.id
    heir = select(func.min(shared_messages.c.thread_id)).where(
        elsewhere, shared_messages.c.message_id == messages.c.id
    )
    shared = select(shared_messages.c.message_id).where(elsewhere)
    conn.execute(
        update(messages)
        .where(messages.c.thread_id == thread.id, messages.c.id.in_(shared))
        .values(thread_id=heir.scalar_subquery())
    )
    conn.execute(delete(threads).where(threads.c.id == thread.id))
