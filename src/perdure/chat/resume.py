"""Routes: read the stream of a run again, or on, from any server of the database."""

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from perdure.agents.conversations.place import ThreadName, find, thread_of
from perdure.chat.requests import has_waited
from perdure.chat.routes import STREAM, CurrentSender
from perdure.chat.schemas import ResumeStream
from perdure.chat.send import Sender
from perdure.chat.stream import as_events, stored_events
from perdure.chat.tail import BATCH, POLL_SECONDS, Pace, Tails
from perdure.db import Db
from perdure.kit.errors import Gone, InvalidArgument
from perdure.kit.ids import RunId
from perdure.kit.paging import Page
from perdure.messages import store as messages
from perdure.runs import store
from perdure.runs.frames import last_frame
from perdure.runs.leases import waiting_with
from perdure.runs.lists import RunFilter, list_runs
from perdure.runs.store import OPEN_STATUSES, RunNotFound, RunRow
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(prefix="/v1", tags=["runs"])

MOST_AT_ONCE = 1000
LEAST_POLL_SECONDS = 0.01


@router.post("/runs/{run_id}/stream", response_model=None, responses=STREAM)
async def stream_run(
    run_id: RunId,
    db: Db,
    actor: CurrentActor,
    sender: CurrentSender,
    body: ResumeStream | None = None,
) -> Response:
    """Read the stream of a background run, from its beginning or after the last frame that was seen."""
    run = await db.read(readable, actor, run_id, sender.tails)
    return resumed(run, body or ResumeStream(), sender)


@router.post("/conversations/{conversation_id}/stream", response_model=None, responses=STREAM)
async def stream_conversation(
    conversation_id: ThreadName,
    db: Db,
    actor: CurrentActor,
    sender: CurrentSender,
    body: ResumeStream | None = None,
) -> Response:
    """Read the stream of a conversation's background run: the one named, or the newest that is at work."""
    body = body or ResumeStream()
    run_id = body.run_id
    if run_id is None:
        run_id = await db.read(_run_meant, actor, thread_of(conversation_id, body.agent_id), body.otid)
    run = await db.read(readable, actor, run_id, sender.tails)
    return resumed(run, body, sender)


def resumed(run: RunRow, wish: ResumeStream, sender: Sender) -> Response:
    """The frames of a run above a reader's cursor, as server-sent events."""
    pings = wish.include_pings is not False
    pace = Pace(
        batch=min(wish.batch_size or BATCH, MOST_AT_ONCE),
        poll=max(POLL_SECONDS if wish.poll_interval is None else wish.poll_interval, LEAST_POLL_SECONDS),
        silence=sender.streams.ping_seconds if pings else None,
    )
    rows = sender.tails.follow(run.id, wish.starting_after, pace)
    return as_events(stored_events(run.id, rows, pings=pings))


def readable(conn: Connection, actor: Actor, run_id: str, tails: Tails) -> RunRow:
    """A run whose frames are kept; says why where they are not."""
    run = store.get(conn, actor, run_id)
    said = f"what was said in it is at `GET /v1/runs/{run_id}/messages`"
    if not _is_durable(conn, run, tails):
        raise InvalidArgument(
            f"Run {run_id} is a foreground run, whose stream is not kept: send with `background: true` "
            f"to be able to come back; {said}."
        )
    if not tails.keeps(run):
        raise Gone(f"Run {run_id} ended so long ago that its stream is not kept any longer; {said}.")
    return run


def _is_durable(conn: Connection, run: RunRow, tails: Tails) -> bool:
    """Whether a run's stream is kept, from its beginning or since it waited or was taken over."""
    if run.background or run.status == "created" or run.attempt > 1 or tails.at_work(run.id):
        return True
    return last_frame(conn, run.id) is not None or has_waited(store.request_of(conn, run.id))


def _run_meant(conn: Connection, actor: Actor, thread_id: str, otid: str | None) -> str:
    """The run of a thread that began with an input, or the newest background run at work."""
    place = find(conn, actor, thread_id)
    if otid is not None:
        told = messages.run_that_said(conn, place.thread_id, [otid])
        if run_id := told or waiting_with(conn, place.thread_id, [otid]):
            return run_id
        raise RunNotFound(f"otid: no run of this conversation began with an input {otid}.")
    want = RunFilter(thread_id=place.thread_id, statuses=OPEN_STATUSES, background=True)
    for run in list_runs(conn, actor, Page(limit=1, order="desc"), want):
        return run.id
    raise InvalidArgument(
        "There is no background run at work in this conversation; say which one you mean with `run_id`."
    )
