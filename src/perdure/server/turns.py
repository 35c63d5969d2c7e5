"""Makes what takes messages and drives runs, and joins it."""

from dataclasses import dataclass
from datetime import timedelta

from perdure.agents.facts import Facts
from perdure.chat.callbacks import Callbacks
from perdure.chat.prepare import Preparer
from perdure.chat.send import Sender
from perdure.chat.tail import Tails
from perdure.chat.worker import Worker
from perdure.config import Settings
from perdure.db import Database
from perdure.db.notify import Listener
from perdure.kit.outbound import Fetcher
from perdure.loop.order import Environment
from perdure.loop.traces import TraceLog
from perdure.providers.catalog import Models
from perdure.runs.frames import CHANNEL
from perdure.runs.leases import Lease
from perdure.runs.runner import Runner
from perdure.runs.spill import Spill
from perdure.tenancy.keyring import KeyRing
from perdure.tools.dispatch import Dispatcher


@dataclass(frozen=True, slots=True)
class Turns:
    """What a message goes through; all but `worker` and `sender` have to be closed."""

    listener: Listener
    spill: Spill
    traces: TraceLog | None
    callbacks: Callbacks
    runner: Runner
    worker: Worker
    sender: Sender


def open_turns(
    settings: Settings,
    db: Database,
    ring: KeyRing,
    lease: Lease,
    models: Models,
    facts: Facts,
    fetcher: Fetcher,
    dispatcher: Dispatcher,
) -> Turns:
    """All of it; nothing runs before its parts are started."""
    keep, limit = timedelta(hours=settings.runs.frames_hours), settings.runs.approval_limit
    listener, spill = Listener(settings.database_url, CHANNEL), Spill(db, lease.owner, keep)
    traces = TraceLog(db) if settings.runs.trace else None
    callbacks, runner = Callbacks(db, ring, fetcher, settings.runs), Runner(db, lease, spill)
    environment = Environment(
        db, dispatcher, lease, facts, traces, limit, resolve=models.resolve, summaries=settings.summaries
    )
    worker = Worker(environment, Preparer(environment, models), runner, callbacks)
    tails = Tails(db, runner, listener, keep)
    sender = Sender(worker, tails, settings.runs, settings.streams, fetcher)
    return Turns(listener, spill, traces, callbacks, runner, worker, sender)
