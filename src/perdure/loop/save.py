"""The save points of a turn: units of work.

A turn is stored as it happens: the input when it is accepted, an answer before its tools run,
their returns before the next request. Killed between any two, the next message finds a
conversation that can go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from perdure.agents import store as agents
from perdure.agents.compiled import compiled_prompt
from perdure.agents.conversations import store as conversations
from perdure.agents.conversations.place import find
from perdure.agents.store import AgentRow
from perdure.content.parts import Approval, returns_of, text_of
from perdure.kit.errors import Conflict
from perdure.loop.approvals import AlreadyAnswered, PendingApproval, Reply, Settlement, settle
from perdure.loop.request import CANCELLED, cancelled, unanswered
from perdure.messages import store as messages
from perdure.messages.pending import pending_in
from perdure.messages.store import Draft, MessageRow, Thread
from perdure.runs import store as runs
from perdure.runs.store import Lease, RunRow, StepRow
from perdure.tenancy.actor import Actor
from perdure.tools.store import ToolRow


@dataclass(frozen=True, slots=True)
class TurnState:
    """What a turn works with: its run, the agent, its tools, and what the model is to see."""

    run_id: str
    lease: Lease
    provider_type: str
    actor: Actor
    agent: AgentRow
    thread: Thread
    tools: tuple[ToolRow, ...]
    prompt: str
    context: tuple[MessageRow, ...]
    settlement: Settlement | None = None  # calls that waited for the reply this request brings


class AgentChanged(Conflict):
    """What a request was prepared for is not the agent any more; prepare it anew."""


def chosen_by(agent: AgentRow) -> tuple[object, ...]:
    """What decides how a request to an agent is prepared."""
    return agent.model, agent.context_window_limit, agent.agent_type


def accept(
    conn: Connection,
    actor: Actor,
    run: RunRow,
    lease: Lease,
    drafts: Sequence[Draft],
    step: StepRow,
    provider_type: str,
    reply: Reply | None = None,
    assumed: AgentRow | None = None,
) -> TurnState:
    """Take a request on: claim the thread, repair what a crash left, save the input, load the rest.

    While calls wait for approval only a `reply` to them is taken: `PendingApproval` otherwise. Where the
    caller chose the model by an agent it had `assumed`, `AgentChanged` tells that it is another by now.
    """
    agent = find(conn, actor, run.thread_id).agent
    if assumed and chosen_by(assumed) != chosen_by(agent):
        raise AgentChanged(f"Agent {agent.id} was changed meanwhile.")
    runs.claim(conn, run, lease)
    thread = messages.get_thread(conn, actor, run.thread_id)  # after the claim: the thread's end is ours now
    conversations.note_request(conn, thread)
    runs.insert_step(conn, step)
    if agent.message_buffer_autoclear:
        messages.set_context(conn, thread, messages.context_ids(conn, thread.id)[:1])
    context = messages.context(conn, thread.id)
    settlement, first = opening(context, reply, run.id, step.id)
    drafts = [*first, *drafts]
    thread, added = messages.append(conn, thread, drafts)
    context += added
    return TurnState(
        run_id=run.id,
        lease=lease,
        provider_type=provider_type,
        actor=actor,
        agent=agent,
        thread=thread,
        tools=tuple(agents.tools_of(conn, agent.id)),
        prompt=compiled_prompt(conn, agent, thread.id, provider_type, stored=_stored_prompt(thread, context)),
        context=tuple(context),
        settlement=settlement,
    )


def opening(
    context: Sequence[MessageRow], reply: Reply | None, run_id: str, step_id: str
) -> tuple[Settlement | None, list[Draft]]:
    """What a request settles of the calls left open before it, and the messages that say so."""
    waiting = pending_in(context)
    if reply:
        if waiting is None:
            _refuse_again(context, reply)
        settlement = settle(waiting, reply)
        said = Draft("approval", settlement.words, otid=reply.otid, run_id=run_id, step_id=step_id)
        return settlement, [said]
    if waiting:
        raise PendingApproval(waiting)
    lost = unanswered(context)
    return None, [Draft("tool", lost, run_id=run_id, is_err=True)] if lost else []


def _refuse_again(context: Sequence[MessageRow], reply: Reply) -> None:
    """Raise `AlreadyAnswered` when these very calls have their returns: the same reply came twice."""
    ids = set(reply.call_ids)
    for row in context[-10:]:
        if (
            ids
            and row.run_id
            and row.role == "tool"
            and ids <= {part.call_id for part in returns_of(row.parts)}
        ):
            raise AlreadyAnswered(row.run_id)


def deny_pending(conn: Connection, actor: Actor, thread_id: str) -> str | None:
    """Answer the calls of a thread that wait for approval with a denial; the run that asked, if any."""
    thread = messages.get_thread(conn, actor, thread_id)  # before its context: who adds to that, clashes
    waiting = pending_in(messages.context(conn, thread_id))
    if waiting is None:
        return None
    asked = waiting.request
    words = tuple(Approval(call.id, False, CANCELLED) for call in waiting.asked)
    settled = settle(waiting, Reply(words))
    held_back = cancelled(settled.run)
    drafts = [
        Draft("approval", words, run_id=asked.run_id, step_id=asked.step_id),
        Draft("tool", settled.ordered(held_back), run_id=asked.run_id, step_id=asked.step_id, is_err=True),
    ]
    messages.append(conn, thread, drafts)
    return asked.run_id


def _stored_prompt(thread: Thread, context: Sequence[MessageRow]) -> tuple[str, str] | None:
    """The compiled prompt that was read with the context, and its fingerprint."""
    for row in context[:1]:
        if row.id == thread.prompt_message_id:
            return text_of(row.parts), thread.prompt_fingerprint
    return None


def save_answer(conn: Connection, state: TurnState, step: StepRow, drafts: Sequence[Draft]) -> TurnState:
    """Save what the model said, and its step, before any of its tools run."""
    runs.hold(conn, state.run_id, state.lease)
    _save_step(conn, step)
    return _appended(conn, state, drafts)


def save_returns(
    conn: Connection, state: TurnState, step: StepRow, drafts: Sequence[Draft], next_step: StepRow
) -> TurnState:
    """Save what the tools returned before the next request; tools may have changed the prompt."""
    runs.hold(conn, state.run_id, state.lease)
    _save_step(conn, step)
    runs.insert_step(conn, next_step)
    state = _appended(conn, state, drafts)
    agent = find(conn, state.actor, state.thread.id).agent
    return replace(
        state, agent=agent, prompt=compiled_prompt(conn, agent, state.thread.id, state.provider_type)
    )


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended."""

    stop_reason: str
    usage: dict[str, int | None]
    error: dict[str, str] | None = None
    ttft_ns: int | None = None
    total_duration_ns: int = 0


def save_end(
    conn: Connection, state: TurnState, step: StepRow, drafts: Sequence[Draft], end: RunEnd
) -> TurnState:
    """Save the last messages of a turn together with the end of its run."""
    runs.finish(
        conn,
        state.run_id,
        state.lease,
        stop_reason=end.stop_reason,
        usage=end.usage,
        error=end.error,
        ttft_ns=end.ttft_ns,
        total_duration_ns=end.total_duration_ns,
    )
    _save_step(conn, step)
    state = _appended(conn, state, drafts)
    agents.record_run(
        conn,
        state.agent.id,
        stop_reason=end.stop_reason,
        duration_ms=end.total_duration_ns // 1_000_000,
    )
    conversations.note_end(conn, state.thread)
    return state


def _save_step(conn: Connection, step: StepRow) -> None:
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
        completed_at=step.completed_at,
    )


def _appended(conn: Connection, state: TurnState, drafts: Sequence[Draft]) -> TurnState:
    thread, rows = messages.append(conn, state.thread, drafts)
    return replace(state, thread=thread, context=(*state.context, *rows))
