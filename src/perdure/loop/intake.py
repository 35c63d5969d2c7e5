"""Taking requests on: at once, in line, or where a crash left them. Units of work."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from perdure.agents import store as agents
from perdure.agents.compiled import compiled_prompt
from perdure.agents.conversations import store as conversations
from perdure.agents.conversations.place import find
from perdure.agents.prompt import Reader
from perdure.agents.store import AgentRow
from perdure.content.parts import Approval, ToolReturn, calls_of, text_of
from perdure.kit.errors import Conflict, InvalidArgument
from perdure.loop.approvals import (
    EXPIRED,
    NOTHING_PENDING,
    WITHDRAWN,
    AlreadyAnswered,
    PendingApproval,
    Reply,
    Settlement,
    denial,
    settle,
)
from perdure.loop.called import called_in_turn
from perdure.loop.request import reopened, strays_in, unanswered
from perdure.loop.save import break_off, finish
from perdure.loop.state import Faults, Tell, TurnState
from perdure.messages import store as messages
from perdure.messages.pending import pending_in
from perdure.messages.store import Draft, MessageRow, Thread
from perdure.runs import leases
from perdure.runs import store as runs
from perdure.runs.leases import Hold, RunEnd
from perdure.runs.store import RunRow, StepRow, Tokens
from perdure.tenancy.actor import Actor
from perdure.tools.store import ToolRow

# Names those of an agent's tools that may be called again.
Repeatable = Callable[[Sequence[ToolRow]], Collection[str]]


@dataclass(frozen=True, slots=True)
class Intake:
    """A request to be taken on, and what was made ready for it.

    `assumed` is the agent that the model was chosen by; `request` is what another process needs to go
    on with the run. Requests for approval from before `asked_since` have expired.
    """

    actor: Actor
    run: RunRow
    hold: Hold
    step: StepRow
    reader: Reader
    drafts: Sequence[Draft] = ()
    reply: Reply | None = None
    assumed: AgentRow | None = None
    request: Mapping[str, Any] | None = None
    asked_since: datetime | None = None


class AgentChanged(Conflict):
    """What a request was prepared for is not the agent any more; prepare it anew."""


class AlreadySaid(Conflict):
    """The same messages came before, by their otids; the run they started tells what came of them."""

    def __init__(self, run_id: str):
        super().__init__("These messages were sent already.", run_id=run_id)
        self.run_id = run_id


def chosen_by(agent: AgentRow) -> tuple[object, ...]:
    """What decides how a request to an agent is prepared."""
    return agent.model, agent.context_window_limit, agent.agent_type


def accept(conn: Connection, new: Intake) -> TurnState:
    """Take a request on: claim the thread, repair what a crash left, save the input, load the rest.

    While calls wait for approval only a `reply` to them is taken: `PendingApproval` otherwise. Where the
    agent is not the one assumed any more, `AgentChanged`; where it was said before, `AlreadySaid`.
    """
    agent = _agent(conn, new)
    if otids := otids_of(new.drafts):
        messages.lock_thread(conn, new.run.thread_id)  # the same message may come twice at once
        if again := messages.run_that_said(conn, new.run.thread_id, otids):
            raise AlreadySaid(again)
    leases.claim(conn, new.run, new.hold.lease, new.request, ahead=new.reply is not None)
    return _begun(conn, new, agent)


def enqueue(conn: Connection, new: Intake, *, limit: int) -> None:
    """Take a request on that waits until its thread is free; nothing of it is said before."""
    thread_id, otids = new.run.thread_id, otids_of(new.drafts)
    if otids:
        messages.lock_thread(conn, thread_id)
        # In this order: who waits may begin, and say it, between the two looks.
        again = leases.waiting_with(conn, thread_id, otids) or messages.run_that_said(conn, thread_id, otids)
        if again:
            raise AlreadySaid(again)
    leases.enqueue(conn, new.run, new.hold.lease, new.request or {}, limit=limit)


def start(conn: Connection, new: Intake) -> TurnState | None:
    """Begin a run that waited, as `accept` does; None while it is not its turn."""
    agent = _agent(conn, new)
    if not leases.start(conn, new.run.thread_id, new.hold):
        return None
    leases.forget_input(conn, new.hold, new.request or {})
    return _begun(conn, new, agent)


def decline(
    conn: Connection,
    actor: Actor,
    run: RunRow,
    held: Hold,
    drafts: Sequence[Draft],
    end: RunEnd,
    tell: Tell | None = None,
) -> bool:
    """End a run that waited and cannot begin, once it is its turn; what was said stays."""
    if not leases.start(conn, run.thread_id, held):
        return False
    thread = messages.get_thread(conn, actor, run.thread_id)
    messages.append(conn, thread, _said_in(drafts, run.id, None))
    finish(conn, held, end, tell)
    return True


@dataclass(frozen=True, slots=True)
class Stood:
    """How far a turn had come: the steps it has taken, those beside it, what all cost, and its times."""

    tokens: Tokens = field(default_factory=Tokens)
    steps: int = 0
    further_steps: int = 0
    worked_ns: int = 0
    ttft_ns: int | None = None


def end_broken(
    conn: Connection,
    actor: Actor,
    run: RunRow,
    held: Hold,
    drafts: Sequence[Draft],
    error: dict[str, str],
    tell: Tell | None = None,
) -> bool:
    """End a run that broke, with the step it was at.

    One that waits has not said its input, and does so now; False where its turn has not come.
    """
    stored = runs.find_run(conn, run.id)
    if stored and stored.status == "created":
        return decline(conn, actor, run, held, drafts, RunEnd("error", error=error), tell)
    break_off(conn, held, error, tell)
    return True


def resume(conn: Connection, new: Intake, repeatable: Repeatable) -> tuple[TurnState, Stood]:
    """Go on with a run whose process is gone, from its last save point.

    Calls whose outcome nobody knows are made again only where their tool is `repeatable`, which is told
    the agent's tools.
    """
    agent = _agent(conn, new)
    leases.keep(conn, new.hold)
    runs.fail_steps(conn, [new.run.id], "interrupted")
    runs.insert_step(conn, new.step)
    thread = messages.get_thread(conn, new.actor, new.run.thread_id)
    context = messages.context(conn, thread.id)
    settlement = reopened(context, repeatable(agents.tools_of(conn, agent.id)))
    state = loaded(conn, new.actor, new.hold, new.reader, agent, thread, context, settlement)
    state = replace(state, called=called_in_turn(conn, thread.id, new.run.id))
    return state, _stood(conn, new.run.id)


def _stood(conn: Connection, run_id: str) -> Stood:
    taken = runs.steps_taken(conn, run_id)
    aside = sum(beside for _, beside in taken)
    tokens = sum((spent for spent, _ in taken), Tokens())
    return Stood(tokens, len(taken) - aside, aside, *runs.times_so_far(conn, run_id))


def otids_of(drafts: Sequence[Draft]) -> tuple[str, ...]:
    """The otids of a request; none where one of its messages has none."""
    otids = tuple(draft.otid for draft in drafts if draft.otid)
    return otids if len(otids) == len(drafts) else ()


def _agent(conn: Connection, new: Intake) -> AgentRow:
    agent = find(conn, new.actor, new.run.thread_id).agent
    if new.assumed and chosen_by(new.assumed) != chosen_by(agent):
        raise AgentChanged(f"Agent {agent.id} was changed meanwhile.")
    return agent


def _begun(conn: Connection, new: Intake, agent: AgentRow) -> TurnState:
    """Save the input of a run whose thread is ours, and load what its turn needs."""
    thread = messages.get_thread(conn, new.actor, new.run.thread_id)  # after the claim: its end is ours now
    context = messages.context(conn, thread.id)
    if agent.message_buffer_autoclear and pending_in(context) is None:
        messages.set_context(conn, thread, [row.id for row in context[:1]])
        context = context[:1]
    conversations.note_request(conn, thread)
    runs.insert_step(conn, new.step)
    settlement, first = opening(context, new.reply, new.run.id, new.step.id, new.asked_since)
    drafts = [*first, *_said_in(new.drafts, new.run.id, new.step.id)]
    thread, added = messages.append(conn, thread, drafts)
    answered = sum(len(draft.parts) for draft in first[:1] if draft.role == "tool")
    context += added
    state = loaded(conn, new.actor, new.hold, new.reader, agent, thread, context, settlement, answered)
    return replace(state, called=called_in_turn(conn, thread.id, new.run.id)) if settlement else state


def _said_in(drafts: Sequence[Draft], run_id: str, step_id: str | None) -> list[Draft]:
    return [replace(draft, run_id=run_id, step_id=step_id) for draft in drafts]


def loaded(
    conn: Connection,
    actor: Actor,
    hold: Hold,
    reader: Reader,
    agent: AgentRow,
    thread: Thread,
    context: Sequence[MessageRow],
    settlement: Settlement | None = None,
    answered: int = 0,
    *,
    save: bool = True,
) -> TurnState:
    """What a turn works with, once its thread is ours; a prompt compiled anew is saved, or not."""
    left_out = strays_in(context)
    stored = _stored_prompt(thread, context)
    return TurnState(
        hold=hold,
        reader=reader,
        actor=actor,
        agent=agent,
        thread=thread,
        tools=tuple(agents.tools_of(conn, agent.id)),
        prompt=compiled_prompt(conn, agent, thread.id, reader, stored=stored, save=save),
        context=tuple(context),
        settlement=settlement,
        faults=Faults(answered, left_out) if answered or left_out else None,
    )


def opening(
    context: Sequence[MessageRow],
    reply: Reply | None,
    run_id: str,
    step_id: str,
    asked_since: datetime | None = None,
) -> tuple[Settlement | None, list[Draft]]:
    """What a request settles of the calls left open before it, and the messages that say so."""
    waiting = pending_in(context)
    expired = waiting if waiting and waiting.is_expired(asked_since) else None
    if reply:
        if expired:
            raise InvalidArgument(f"{NOTHING_PENDING} {EXPIRED}")
        if waiting is None:
            _refuse_again(context, reply)
        settlement = settle(waiting, reply)
        said = Draft("approval", settlement.words, otid=reply.otid, run_id=run_id, step_id=step_id)
        return settlement, [said]
    if expired:
        return None, denial(expired, EXPIRED)
    if waiting:
        raise PendingApproval(waiting)
    lost = unanswered(context)
    return None, [Draft("tool", lost, run_id=run_id, is_err=True)] if lost else []


def _refuse_again(context: Sequence[MessageRow], reply: Reply) -> None:
    """Raise `AlreadyAnswered` when these very calls were answered by a reply that a later run took.

    A denial that nobody spoke belongs to the run that asked: a reply after it is too late.
    """
    ids, asker = set(reply.call_ids), None
    for row in context:
        if ids & {call.id for call in calls_of(row.parts)}:
            asker = row.run_id
        words = {part.call_id for part in row.parts if isinstance(part, Approval | ToolReturn)}
        if row.role == "approval" and ids and ids <= words and row.run_id not in (None, asker):
            raise AlreadyAnswered(row.run_id)


def deny_pending(conn: Connection, actor: Actor, thread_id: str) -> str | None:
    """Answer the calls of a thread that wait for approval with a denial; the run that asked, if any."""
    thread = messages.get_thread(conn, actor, thread_id)  # before its context: who adds to that, clashes
    waiting = pending_in(messages.context(conn, thread_id))
    if waiting is None:
        return None
    messages.append(conn, thread, denial(waiting, WITHDRAWN))
    return waiting.request.run_id


def _stored_prompt(thread: Thread, context: Sequence[MessageRow]) -> tuple[str, str] | None:
    """The compiled prompt that was read with the context, and its fingerprint."""
    for row in context[:1]:
        if row.id == thread.prompt_message_id:
            return text_of(row.parts), thread.prompt_fingerprint
    return None
