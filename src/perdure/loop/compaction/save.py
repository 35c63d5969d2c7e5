"""The save points of a compaction: units of work.

The context changes in one of them, with the summary: killed before, a conversation is as it was.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from perdure.agents.compiled import recompile
from perdure.agents.conversations.place import find
from perdure.agents.prompt import Reader
from perdure.loop.events import Saved
from perdure.loop.intake import loaded
from perdure.loop.save import finish, save_step
from perdure.loop.state import TurnState
from perdure.messages import store as messages
from perdure.messages.store import Draft, MessageRow
from perdure.runs import leases
from perdure.runs import store as runs
from perdure.runs.leases import Hold, Lease, RunEnd
from perdure.runs.store import RunRow, StepRow
from perdure.tenancy.actor import Actor


def claim_thread(conn: Connection, actor: Actor, run: RunRow, lease: Lease, reader: Reader) -> TurnState:
    """Take a thread for work that says nothing, with a run that has no steps yet; `ThreadBusy`."""
    agent = find(conn, actor, run.thread_id).agent
    leases.claim(conn, run, lease)
    thread = messages.get_thread(conn, actor, run.thread_id)
    context = messages.context(conn, thread.id)
    return loaded(conn, actor, Hold(run.id, lease), reader, agent, thread, context)


def save_aside(
    conn: Connection,
    state: TurnState,
    step: StepRow,
    drafts: Sequence[Draft],
    next_step: StepRow,
) -> tuple[TurnState, list[MessageRow]]:
    """Save a step beside the conversation: what was said in it is stored, but no part of the context."""
    leases.keep(conn, state.hold)
    save_step(conn, step)
    runs.insert_step(conn, next_step)
    thread, rows = messages.append(conn, state.thread, drafts, aside=True)
    _tell(conn, state, rows)
    return replace(state, thread=thread), rows


def save_compaction(
    conn: Connection,
    state: TurnState,
    step: StepRow,
    summary: Draft,
    kept: Sequence[MessageRow],
    end: RunEnd | None = None,
) -> TurnState:
    """Put a summary in the place of all that is not `kept`, in context only, and compile the prompt anew.

    `step` is the one that wrote the summary; it has been taken. With `end` the run's work was this alone.
    """
    if end:
        finish(conn, state.hold, end)
    else:
        leases.keep(conn, state.hold)
    runs.insert_step(conn, step)
    thread, added = messages.append(conn, state.thread, [summary], aside=True)
    _tell(conn, state, added)
    prompt = [row for row in state.context if row.id == thread.prompt_message_id]
    context = (*prompt, *added, *kept)
    messages.set_context(conn, thread, [row.id for row in context])
    agent = find(conn, state.actor, thread.id).agent
    text = recompile(conn, agent, thread.id, reader=state.reader, update_timestamp=True)
    return replace(state, thread=thread, agent=agent, context=context, prompt=text)


def _tell(conn: Connection, state: TurnState, rows: Sequence[MessageRow]) -> None:
    if state.tell:
        state.tell(conn, [Saved(row, of_compaction=True) for row in rows], None)
