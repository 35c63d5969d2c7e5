"""A server as a child process: for the demo, and for a chat when no server runs.

Run as a program it serves until its standard input ends, so it never outlives who started it, not
even one that was killed.
"""

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from perdure.cli.api import Api, NoServer
from perdure.kit.errors import PerdureError

HOST = "127.0.0.1"
START_SECONDS = 60.0
LOOK_EVERY = 0.02


class DidNotStart(PerdureError):
    """The child ended, or took too long."""


class ChildServer:
    """A server on a loopback port of its own, that only who started it can talk to."""

    def __init__(self, home: Path, environment: Mapping[str, str], database_url: str | None = None):
        self.home = home
        self.port = free_port()
        self.key = secrets.token_urlsafe(24)
        self._environment = {
            **environment,
            "PERDURE_HOME": str(home),
            "PERDURE_HOST": HOST,
            "PERDURE_PORT": str(self.port),
            "PERDURE_API_KEY": self.key,
            "PERDURE_LOG_LEVEL": "error",
        }
        if database_url:
            self._environment["PERDURE_DATABASE_URL"] = database_url
        self._process: subprocess.Popen[bytes] | None = None
        self.api = Api(f"http://{HOST}:{self.port}", self.key)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up and stop it, if it runs."""
        self.api.close()
        self.stop()

    @property
    def pid(self) -> int:
        """The number of its process."""
        if self._process is None:
            raise DidNotStart("The server does not run.")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "perdure.cli.child"]
        # A session of its own: Ctrl-C in the terminal is for us alone.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, env=self._environment, start_new_session=True
        )
        try:
            self._await_health(self._process)
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """End it as a power cut would: no chance to finish or to save anything."""
        if self._process:
            self._process.kill()
            self._ended(self._process)

    def stop(self) -> None:
        """Let it end in good order; make it, if it takes long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._ended(self._process)

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        if process.stdin:
            process.stdin.close()
        self._process = None

    def _await_health(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if process.poll() is not None:
                raise DidNotStart(
                    f"The server ended at its start (exit code {process.returncode}); "
                    "`perdure doctor` tells more."
                )
            try:
                self.api.version()
            except NoServer:
                time.sleep(LOOK_EVERY)
            else:
                return
        raise DidNotStart(f"The server did not answer within {START_SECONDS:g} seconds.")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def main() -> None:
    """Serve until standard input ends."""
    from perdure.cli.serve import serve  # heavy, and only the child needs it

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve()
    except PerdureError as error:
        sys.exit(f"perdure: {error.detail}")


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
