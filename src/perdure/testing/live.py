"""A server in a thread of this process, for tests: it answers over HTTP, and its inside is at hand."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import uvicorn
from sqlalchemy import Connection, Select, select, update

from perdure.agents.tables import agents
from perdure.config import Settings
from perdure.db import Database
from perdure.kit.clock import now
from perdure.runs.leases import OPEN
from perdure.runs.tables import runs
from perdure.server.app import create_app
from perdure.server.transport import Protocol
from perdure.tenancy.actor import Actor
from perdure.testing.scripted import ScriptedModel

PATIENCE = 30.0


@dataclass
class LiveServer:
    """A server in a thread of this process, and the model it answers with."""

    url: str
    scripted: ScriptedModel
    settings: Settings
    app: Any
    loop: asyncio.AbstractEventLoop

    def run(self, work: Any, *args: Any, write: bool = False) -> Any:
        """Run a unit of work on the server's own database."""
        db: Database = self.app.state.db
        return self.ask((db.write if write else db.read)(work, *args))

    def actor_of(self, agent_id: str) -> Actor:
        """Someone of the organization that an agent belongs to."""
        query = select(agents.c.organization_id).where(agents.c.id == agent_id)
        return Actor(self.run(_scalar, query))

    def ask(self, question: Coroutine[Any, Any, Any]) -> Any:
        """The answer to a question that the server's own objects are asked, on their loop."""
        return asyncio.run_coroutine_threadsafe(question, self.loop).result(PATIENCE)

    def crash(self, run_id: str) -> None:
        """As if the process that works on a run had died: its work stops where it is, its lease is over.

        Nothing that the task does from now on is stored, for the run is not its own any more.
        """
        self.ask(self._crash(run_id))

    def take_over(self) -> None:
        """Look for runs whose process is gone, as the server does from time to time."""
        self.ask(self.app.state.sender.worker.take_over())

    def tasks(self) -> list[str]:
        """What the server's loop has in hand: the names of its tasks, or of what they run."""
        return asyncio.run_coroutine_threadsafe(_task_names(), self.loop).result(PATIENCE)

    async def _crash(self, run_id: str) -> None:
        await self.app.state.db.write(_orphan, run_id)
        live = self.app.state.runner.live.get(run_id)
        if live and live.task:
            live.task.cancel()


def _scalar(conn: Connection, query: Select[Any]) -> str:
    return conn.execute(query).scalar_one()


async def _task_names() -> list[str]:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    return sorted(_name_of(task) for task in others)


def _name_of(task: asyncio.Task[Any]) -> str:
    name = task.get_name()
    return getattr(task.get_coro(), "__qualname__", name) if name.startswith("Task-") else name


def _orphan(conn: Connection, run_id: str) -> None:
    gone = {"lease_owner": "a process that died", "lease_expires": now() - timedelta(seconds=1)}
    conn.execute(update(runs).where(runs.c.id == run_id, OPEN).values(gone))


def serve(settings: Settings, scripted: ScriptedModel) -> Iterator[LiveServer]:
    """Serve on a free loopback port until the generator is closed; `scripted/…` are its models."""
    app = create_app(settings, static={"scripted": scripted})
    config = uvicorn.Config(app, http=Protocol, port=0, log_config=None, ws="none", timeout_keep_alive=75)
    server = uvicorn.Server(config)
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve()

    def run() -> None:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:  # as `perdure serve`
            runner.run(main())

    thread = threading.Thread(target=run, name="live-server", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    app.state.address = f"http://127.0.0.1:{port}"
    yield LiveServer(f"http://127.0.0.1:{port}", scripted, settings, app, loops[0])
    server.should_exit = True
    thread.join(20)
    if thread.is_alive():
        raise RuntimeError("the server did not stop")
