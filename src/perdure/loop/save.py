"""The save points of a turn: units of work.

A turn is stored as it happens: the input when it is accepted (`intake.py`), an answer before its tools run,
their returns before the next request. Killed between any two, the next message finds a
conversation that can go on.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from perdure.agents import store as agents
from perdure.agents.compiled import compiled_prompt
from perdure.agents.conversations import store as conversations
from perdure.agents.conversations.place import find
from perdure.agents.groups import store as groups
from perdure.loop.events import Saved
from perdure.loop.state import Tell, TurnState
from perdure.messages import store as messages
from perdure.messages.store import Draft
from perdure.runs import leases
from perdure.runs import store as runs
from perdure.runs.leases import Hold, RunEnd
from perdure.runs.store import StepRow

ENDS_OF_TURNS = runs.COMPLETED - {"requires_approval"}  # what waits for an approval goes on


def save_answer(conn: Connection, state: TurnState, step: StepRow, drafts: Sequence[Draft]) -> TurnState:
    """Save what the model said, and its step, before any of its tools run."""
    leases.keep(conn, state.hold)
    save_step(conn, step)
    return _appended(conn, state, drafts)


def save_returns(
    conn: Connection, state: TurnState, step: StepRow, drafts: Sequence[Draft], next_step: StepRow
) -> TurnState:
    """Save what the tools returned before the next request; tools may have changed the prompt."""
    leases.keep(conn, state.hold)
    save_step(conn, step)
    runs.insert_step(conn, next_step)
    state = _appended(conn, state, drafts)
    agent = find(conn, state.actor, state.thread.id).agent
    return replace(state, agent=agent, prompt=compiled_prompt(conn, agent, state.thread.id, state.reader))


def save_end(
    conn: Connection, state: TurnState, step: StepRow, drafts: Sequence[Draft], end: RunEnd
) -> TurnState:
    """Save the last messages of a turn together with the end of its run."""
    leases.finish(conn, state.hold, end)
    save_step(conn, step)
    state = _appended(conn, state, drafts, end)
    agents.record_run(
        conn,
        state.agent.id,
        stop_reason=end.stop_reason,
        duration_ms=(end.total_duration_ns or 0) // 1_000_000,
    )
    conversations.note_end(conn, state.thread)
    if state.agent.enable_sleeptime and end.stop_reason in ENDS_OF_TURNS:
        groups.note_turn(conn, state.agent.id)
    return state


def withdraw(conn: Connection, held: Hold, tell: Tell | None = None) -> None:
    """End a run that was cancelled before its turn came; what it would have said is not said."""
    finish(conn, held, RunEnd("cancelled"), tell)


def break_off(conn: Connection, held: Hold, error: dict[str, str], tell: Tell | None = None) -> None:
    """End a run that broke, with the step it was at."""
    leases.break_off(conn, held, error)
    if tell:
        tell(conn, (), RunEnd("error", error=error))


def finish(conn: Connection, held: Hold, end: RunEnd, tell: Tell | None = None) -> None:
    """End a run that said nothing more."""
    leases.finish(conn, held, end)
    if tell:
        tell(conn, (), end)


def save_step(conn: Connection, step: StepRow) -> None:
    """Save how far a step is."""
    runs.update_step(
        conn,
        step.id,
        status=step.status,
        stop_reason=step.stop_reason,
        usage=step.usage,
        error_type=step.error_type,
        error_data=step.error_data,
        model_ns=step.model_ns,
        tools_ns=step.tools_ns,
        ttft_ns=step.ttft_ns,
        step_ns=step.step_ns,
        aside=step.aside,
        completed_at=step.completed_at,
    )


def _appended(
    conn: Connection, state: TurnState, drafts: Sequence[Draft], end: RunEnd | None = None
) -> TurnState:
    thread, rows = messages.append(conn, state.thread, drafts)
    if state.tell:
        state.tell(conn, [Saved(row) for row in rows], end)
    return replace(state, thread=thread, context=(*state.context, *rows))
