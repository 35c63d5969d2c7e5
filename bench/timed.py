"""A Perdure server that notes how long its parts take: `python -m bench.timed serve`, as a child.

The parts are wrapped from outside, by name, before the server starts; the server knows nothing of
it. At its end it writes the spans of every message to the file that `BENCH_SPANS` names.
"""

import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from functools import wraps
from pathlib import Path
from typing import Any

import orjson

from bench.timing import clock

SPANS: defaultdict[str, list[float]] = defaultdict(list)
FILE = "BENCH_SPANS"


def note(name: str, began: float) -> None:
    """Keep a span in milliseconds."""
    SPANS[name].append((clock() - began) * 1000)


def plain(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function, timed."""

    @wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        began = clock()
        try:
            return function(*args, **kwargs)
        finally:
            note(name, began)

    return timed


def awaited(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The coroutine function, timed."""

    @wraps(function)
    async def timed(*args: Any, **kwargs: Any) -> Any:
        began = clock()
        try:
            return await function(*args, **kwargs)
        finally:
            note(name, began)

    return timed


def streamed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The generator function, timed from its start to its end; what its reader does meanwhile counts."""

    @wraps(function)
    async def timed(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        began = clock()
        try:
            async for item in function(*args, **kwargs):
                yield item
        finally:
            note(name, began)

    return timed


def database(method: Callable[..., Any], kind: str) -> Callable[..., Any]:
    """`read` or `write`: the whole wait, and the part in which the unit of work itself ran."""

    async def timed(self: Any, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        name = f"{kind} {work.__name__}"
        began = clock()
        try:
            return await method(self, plain(work, f"{name}, statements"), *args, **kwargs)
        finally:
            note(name, began)

    return timed


class Application:
    """The whole of a message's request inside the application."""

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        began = clock()
        await self.app(scope, receive, send)
        if scope["type"] == "http" and scope["path"].endswith("/messages"):
            note("application", began)


def wrap() -> None:
    """Put clocks around the parts a message passes."""
    import perdure.server.app as app
    from perdure.chat import routes, stream
    from perdure.chat.send import Sender
    from perdure.db.postgres import PostgresDatabase
    from perdure.db.sqlite import SqliteDatabase
    from perdure.loop import turn
    from perdure.providers.catalog import Models
    from perdure.providers.vendors.wire import WireClient

    for kind in (SqliteDatabase, PostgresDatabase):
        kind.read, kind.write = database(kind.read, "read"), database(kind.write, "write")
    WireClient.stream = streamed(WireClient.stream, "model call")
    Models.resolve = awaited(Models.resolve, "resolve model")
    Sender.send = awaited(Sender.send, "accept")
    routes.answer = awaited(routes.answer, "answer")
    turn.ask = plain(turn.ask, "build request")
    stream.collect = plain(stream.collect, "serialize")
    create = app.create_app

    def clocked(*args: Any, **kwargs: Any) -> Any:
        made = create(*args, **kwargs)
        made.add_middleware(Application)
        return made

    app.create_app = clocked


def main() -> None:
    """Serve with clocks; the spans are written when the server stops."""
    from perdure.cli.main import run

    wrap()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # uvicorn passes the signal on when it has stopped
    try:
        run()
    finally:
        Path(os.environ[FILE]).write_bytes(orjson.dumps(SPANS))  # noqa: TID251


if __name__ == "__main__":
    sys.argv[0] = "perdure"
    main()
