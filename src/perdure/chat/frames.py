"""What a run's readers are shown, as its caller wished: pure."""

from perdure.chat.requests import Delivery
from perdure.chat.schemas import ErrorMessage, Ping, StopReason, TurnOptions
from perdure.chat.wire import Projection
from perdure.kit.clock import iso, now
from perdure.kit.ids import new_id
from perdure.loop.events import TurnFailed
from perdure.loop.legacy import is_legacy
from perdure.loop.stops import error_type_of, words_of
from perdure.messages.spoken import MessageTool
from perdure.runs.runner import Frames


def projection_of(
    options: TurnOptions, delivery: Delivery, run_id: str, agent_type: str | None = None
) -> Projection:
    """What turns a run's events into frames for its caller."""
    tool = None
    if agent_type and is_legacy(agent_type) and options.use_assistant_message:
        tool = MessageTool(options.assistant_message_tool_name, options.assistant_message_tool_kwarg)
    return Projection(
        run_id,
        delivery.tokens,
        options.include_return_message_types,
        tool,
        options.include_compaction_messages,
    )


def ping(run_id: str) -> Ping:
    """A sign of life of a run."""
    return Ping(id=new_id("ping"), date=iso(now()), run_id=run_id)


async def failure_frames(run_id: str, error: Exception, reason: str) -> Frames:
    """How a stream ends whose run failed."""
    cause = error.cause if isinstance(error, TurnFailed) else error
    message = words_of(cause)
    yield StopReason(stop_reason=reason), None
    told = ErrorMessage(run_id=run_id, error_type=error_type_of(cause), message=message, detail=message)
    yield told, "error"
