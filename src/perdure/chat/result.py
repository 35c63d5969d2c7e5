"""What became of a run that ended, read back from what is stored."""

from sqlalchemy import Connection

from perdure.chat.frames import ended_with
from perdure.chat.schemas import LettaResponse, StopReason
from perdure.chat.wire import usage_of
from perdure.kit.paging import MAX_LIMIT, Page
from perdure.messages import store as messages
from perdure.messages.render import render_all
from perdure.messages.spoken import MessageTool
from perdure.messages.store import MessageRow
from perdure.runs.store import RunRow
from perdure.tenancy.actor import Actor


def messages_of(conn: Connection, actor: Actor, run_id: str) -> list[MessageRow]:
    """What was said in a run, the input included."""
    return messages.list_(conn, actor, Page(limit=MAX_LIMIT, order="asc"), run_id=run_id)


def result_of(run: RunRow, rows: list[MessageRow]) -> LettaResponse:
    """The whole answer of a run as a blocking caller would have had it, with what was sent before it."""
    shown = run.request_config or {}
    tool = MessageTool(
        shown.get("assistant_message_tool_name", "send_message"),
        shown.get("assistant_message_tool_kwarg", "message"),
    )
    return LettaResponse(
        messages=render_all(
            rows,
            message_tool=tool if shown.get("use_assistant_message", True) else None,
            types=shown.get("include_return_message_types"),
        ),
        stop_reason=StopReason(stop_reason=run.stop_reason or "error"),
        usage=usage_of(ended_with(run.stop_reason, run.usage)),
    )
