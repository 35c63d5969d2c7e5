"""What the tools of a turn have returned so far, as it is stored: compactions take nothing away from it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from perdure.content.parts import calls_of, returns_of
from perdure.messages import store as messages
from perdure.messages.store import MessageRow
from perdure.runs import store as runs
from perdure.tools.rules import CalledTool


def called_in_turn(conn: Connection, thread_id: str, run_id: str) -> tuple[CalledTool, ...]:
    """The calls that rules count when a run goes on: its own, and those of the runs it took up from.

    A run that began with a reply to calls that waited is the same turn as the run that had asked.
    """
    called: tuple[CalledTool, ...] = ()
    asker: str | None = run_id
    seen: set[str] = set()
    while asker and asker not in seen:
        seen.add(asker)
        rows = messages.of_run(conn, asker, ("tool", "approval"))
        called = _returned(rows, runs.steps_in_conversation(conn, asker)) + called
        reply = next((row for row in rows if row.role == "approval"), None)
        answers = reply and not calls_of(reply.parts)
        asker = messages.run_asking_before(conn, thread_id, reply.created_at) if reply and answers else None
    return called


def _returned(rows: Sequence[MessageRow], steps: set[str]) -> tuple[CalledTool, ...]:
    """Calls of these steps; others were made to save memory, or repair an older run's history."""
    return tuple(
        CalledTool(part.name, part.text, part.status)
        for row in rows
        if row.role == "tool" and row.step_id in steps
        for part in returns_of(row.parts)
    )
