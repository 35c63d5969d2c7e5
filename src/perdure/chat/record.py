"""Stores the frames of a durable run with what they tell: neither is there without the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from perdure.chat.frames import end_frames, ended_with, failure_frames
from perdure.chat.wire import Projection
from perdure.loop.events import Saved
from perdure.runs.frames import insert_frames, last_frame
from perdure.runs.leases import RunEnd
from perdure.runs.live import LiveRun, NewFrame, rows_of


@dataclass(slots=True)
class Record:
    """A run's stream, to be called in the transactions of its save points (`save.Tell`).

    Nothing is appended to the stream while a save point is being stored, so the frames it brings are
    known beforehand: the same, with the same numbers, are shown once it is committed.
    """

    live: LiveRun
    projection: Projection

    def __call__(self, conn: Connection, saved: Sequence[Saved], end: RunEnd | None) -> None:
        new = self._frames(saved, end)
        after = self.live.seq
        if end and end.error and (last := last_frame(conn, self.live.run_id)):
            after = max(after, last.seq)  # a save whose commit was in doubt may have brought frames
        insert_frames(conn, self.live.run_id, [*self.live.unstored(), *rows_of(new, after=after)])

    def _frames(self, saved: Sequence[Saved], end: RunEnd | None) -> list[NewFrame]:
        """What readers will be shown; messages of a turn that failed are not repeated."""
        if end and end.error:
            return failure_frames(self.live.run_id, end.stop_reason, end.error)
        ahead = self.projection.copy()
        shown: list[NewFrame] = [(frame, None) for event in saved for frame in ahead.frames(event)]
        return shown + (end_frames(ended_with(end.stop_reason, end.usage)) if end else [])

    def stored(self) -> None:
        """All that was shown until now is in the database."""
        self.live.mark_stored(self.live.seq)


def record_of(live: LiveRun) -> Record | None:
    """What records a run's stream, if it is to be kept."""
    return Record(live, Projection(live.run_id)) if live.durable else None
