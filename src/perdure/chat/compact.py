"""Routes: put a summary in the place of older messages now, rather than when the window is full."""

from contextlib import suppress

from fastapi import APIRouter

from perdure.agents.conversations.place import ThreadName, find, thread_of
from perdure.chat.routes import CurrentSender
from perdure.chat.schemas import CompactionRequest, CompactionResponse, ConversationCompactionRequest
from perdure.chat.send import Sender
from perdure.chat.stream import final
from perdure.kit.errors import Conflict
from perdure.kit.ids import AgentId
from perdure.loop.compaction.rest import Shrinking, Shrunk, begin, shrink
from perdure.loop.order import Order
from perdure.loop.stops import error_of
from perdure.runs import leases
from perdure.runs.leases import Hold, LeaseLost, RunEnd
from perdure.runs.live import LiveRun
from perdure.runs.runner import Frames, OnFailure
from perdure.runs.stop import Stop, Stopped
from perdure.runs.store import open_run
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1", tags=["messages"])

RUN_TYPE = "compaction"


class CompactionCancelled(Conflict):
    """Somebody cancelled it before the summary was written."""

    def __init__(self) -> None:
        super().__init__("The compaction was cancelled; the context is as it was.")


@router.post("/agents/{agent_id}/summarize")
async def compact_agent(
    agent_id: AgentId, actor: CurrentActor, sender: CurrentSender, body: CompactionRequest | None = None
) -> CompactionResponse:
    """Compact an agent's own history. What leaves the context stays stored and searchable."""
    return await compact(sender, actor, agent_id, body or CompactionRequest())


@router.post("/conversations/{conversation_id}/compact")
async def compact_conversation(
    conversation_id: ThreadName,
    actor: CurrentActor,
    sender: CurrentSender,
    body: ConversationCompactionRequest | None = None,
) -> CompactionResponse:
    """Compact a conversation's history."""
    body = body or ConversationCompactionRequest()
    return await compact(sender, actor, thread_of(conversation_id, body.agent_id), body)


async def compact(
    sender: Sender, actor: Actor, thread_id: str, body: CompactionRequest
) -> CompactionResponse:
    """Claim the thread with a run, work as that run, and wait for its end. Who leaves stops nothing."""
    db = sender.env.db
    place = await db.read(find, actor, thread_id)
    model = await sender.models.resolve(actor, place.agent.model)
    run = open_run(actor, place.agent.id, thread_id, place.conversation_id, run_type=RUN_TYPE)
    order = Order(run, model, max_steps=1)
    named = body.compaction_settings.named() if body.compaction_settings else {}
    work = await db.write(begin, sender.env, actor, order, named)
    if isinstance(work, Shrunk):
        return _response(work)
    live = LiveRun(order.run.id, thread_id=thread_id)
    frames = _frames(sender, order, work, live.stop)
    sender.runner.drive(live, frames, _failed(sender, work.state.hold))
    try:
        (response,) = await live.ended()
    except Exception as error:
        raise final(error) from error
    return response


async def _frames(sender: Sender, order: Order, work: Shrinking, stop: Stop) -> Frames:
    try:
        yield _response(await shrink(sender.env, order, work, stop)), None
    except Stopped as stopped:
        raise CompactionCancelled from stopped


def _response(done: Shrunk) -> CompactionResponse:
    return CompactionResponse(
        summary=done.summary, num_messages_before=done.before, num_messages_after=done.after
    )


def _failed(sender: Sender, held: Hold) -> OnFailure:
    """Ends the run of a compaction that did not come to its end."""

    async def failed(error: Exception) -> Frames:
        reason = "cancelled" if isinstance(error, CompactionCancelled) else "error"
        with suppress(LeaseLost):  # it was ended by another, or deleted
            await sender.env.db.write(leases.finish, held, RunEnd(reason, error=error_of(error)))
        return _nothing()

    return failed


async def _nothing() -> Frames:
    for frame in ():
        yield frame
