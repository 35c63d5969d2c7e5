"""What a run's readers are shown, as its caller wished: pure."""

from collections.abc import Mapping
from typing import Any

from perdure.chat.requests import Delivery
from perdure.chat.schemas import ErrorMessage, Ping, StopReason, TurnOptions
from perdure.chat.wire import Projection, usage_of
from perdure.kit.clock import iso, now
from perdure.kit.ids import new_id
from perdure.loop.events import Ended
from perdure.loop.legacy import is_legacy
from perdure.messages.spoken import MessageTool
from perdure.runs.live import NewFrame
from perdure.runs.store import RunRow, Tokens


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


def failure_frames(run_id: str, stop_reason: str, error: Mapping[str, Any]) -> list[NewFrame]:
    """The last frames of a run that failed: why it stopped, then an `error` event, which clients raise."""
    message = str(error.get("message") or "The run failed.")
    kind = str(error.get("error_type") or "internal_error")
    failure = ErrorMessage(run_id=run_id, error_type=kind, message=message, detail=message)
    return [(StopReason(stop_reason=stop_reason), None), (failure, "error")]


def end_frames(ended: Ended) -> list[NewFrame]:
    """The last frames of a run that did not fail."""
    return [(StopReason(stop_reason=ended.stop_reason), None), (usage_of(ended), None)]


def ended_with(stop_reason: str | None, usage: Mapping[str, Any] | None) -> Ended:
    """The end of a run, as it is stored."""
    counted = dict(usage or {})
    steps, context = counted.pop("steps", 0), counted.pop("context", 0)
    return Ended(stop_reason or "error", Tokens(**counted), steps, context)


def last_words(run_id: str, run: RunRow | None) -> list[NewFrame]:
    """The last frames of a run whose row says how it ended; None: it was deleted."""
    if run is None:
        return failure_frames(run_id, "error", {"message": f"Run {run_id} was deleted."})
    if run.error:
        return failure_frames(run_id, run.stop_reason or "error", run.error)
    return end_frames(ended_with(run.stop_reason, run.usage))
