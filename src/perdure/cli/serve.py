"""`perdure serve`: one process, one port, stopped gracefully."""

import contextlib
import gc
import logging
import os
import socket

import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

import perdure
from perdure.cli.opened import no_answer, with_database
from perdure.config import Settings, load_settings, unknown_variables
from perdure.kit.errors import PerdureError, Unavailable
from perdure.server import logs
from perdure.server.transport import Protocol
from perdure.tenancy.authenticate import guard_binding, is_loopback
from perdure.tenancy.keys import any_key

log = logging.getLogger("perdure.serve")

GRACE_SECONDS = 10
# Longer than clients keep an idle connection (httpx 5 s): who closes it while the other is about to send
# makes that request fail.
KEEP_ALIVE_SECONDS = 75
BACKLOG = 1024


class CannotListen(PerdureError):
    """The address or port cannot be had."""


class Server(uvicorn.Server):
    """Uvicorn that opens and closes the application itself, so that a failed start is an exception."""

    def __init__(self, app: FastAPI):
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )
        self._lifespan = app.router.lifespan_context(app)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open what the application needs, then answer."""
        await self._lifespan.__aenter__()
        await super().startup(sockets)
        for listener in sockets or ():
            log.info("Perdure %s listens on %s", perdure.__version__, address(listener))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the answers under way, then close what the application needed."""
        await super().shutdown(sockets)
        await self._lifespan.__aexit__(None, None, None)


def serve(*, host: str | None = None, port: int | None = None) -> None:
    """Run the server until it is told to stop."""
    settings = load_settings(host=host, port=port)
    guard_binding(settings.host, has_key=settings.api_key is not None or _keys_exist(settings))
    with listen(settings.host, settings.port) as listener:
        from perdure.server.app import create_app  # callers that come early wait at the listener

        logs.configure(settings.log)
        for sentence in unknown_variables():
            log.warning(sentence)
        os.umask(0o077)  # what is said here is nobody else's business
        app = create_app(settings)
        app.state.address = address(listener)
        server = Server(app)
        gc.freeze()  # what was imported stays for good: no collection need look at it
        gc.enable()
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            log.info("stopped")
        except (OSError, SQLAlchemyError) as error:
            raise Unavailable(f"The database {no_answer(settings, error)}. See `perdure doctor`.") from error


def listen(host: str, port: int) -> socket.socket:
    """A socket on the address, bound before the slow part of starting."""
    try:
        kind, _, _, _, place = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket(kind, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(BACKLOG)
            stack.pop_all()
            return listener
    except OSError as error:
        raise CannotListen(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Stop what listens there, or choose "
            "another with --port or PERDURE_PORT."
        ) from error


def address(listener: socket.socket) -> str:
    """The URL at which a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _keys_exist(settings: Settings) -> bool:
    """Whether callers will be asked for a key; only of interest when others can reach the server."""
    return not is_loopback(settings.host) and with_database(settings, lambda db: db.read(any_key))
