"""`perdure serve`: one process, one port, stopped gracefully."""

import gc
import logging
import socket
import time

import uvicorn

import perdure
from perdure.cli.opened import with_database
from perdure.config import Settings, load_settings, unknown_variables
from perdure.kit.errors import PerdureError
from perdure.server import logs
from perdure.tenancy.authenticate import guard_binding, is_loopback
from perdure.tenancy.keys import any_key

log = logging.getLogger("perdure.serve")

GRACE_SECONDS = 10


class CannotListen(PerdureError):
    """The address or port cannot be had."""


class Server(uvicorn.Server):
    """Uvicorn that says in one line where it listens and how long it took."""

    began = time.perf_counter()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            address = f"[{host}]" if ":" in host else host
            log.info(
                "Perdure %s listens on http://%s:%s",
                perdure.__version__,
                address,
                port,
                extra={"seconds": round(time.perf_counter() - self.began, 2)},
            )


def serve(*, host: str | None = None, port: int | None = None) -> None:
    """Run the server until it is told to stop."""
    settings = load_settings(host=host, port=port)
    logs.configure(settings.log)
    for sentence in unknown_variables():
        log.warning(sentence)
    has_key = settings.api_key is not None or _keys_exist(settings)
    guard_binding(settings.host, has_key=has_key)
    listener = listen(settings.host, settings.port)
    from perdure.server.app import create_app

    app = create_app(settings)
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    gc.collect()
    gc.freeze()
    Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket on the address; bound before the slow part of starting, so early callers wait."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
    except OSError as error:
        listener.close()
        raise CannotListen(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Stop what listens there, or choose "
            "another with --port or PERDURE_PORT."
        ) from error
    listener.listen(1024)
    return listener


def _keys_exist(settings: Settings) -> bool:
    """Whether callers will be asked for a key; only of interest when others can reach the server."""
    if is_loopback(settings.host):
        return False

    return with_database(settings, lambda db: db.read(any_key))
