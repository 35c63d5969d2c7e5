"""A real server in a process of its own, so that it can be killed; may kill itself at a save point.

The processes are forks of one that has imported the server, so that each is there at once. The POINT of a
server counts the writes of a turn from 0; `2.before` dies just before the third is begun, `2.after` just
after it is committed.
"""

import asyncio
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

TOLD = "My name is Ann."
ASKED = "What is my name?"
SLOWLY = "Take your time."

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["pytest", "uvicorn", "perdure.server.app", "perdure.testing.scripted", __name__]
)


class ServerProcess:
    """Starts the program below on a free port and knows how it ended."""

    def __init__(self, home: Path, url: str, point: str = "", lease: float = 30):
        told, telling = FORKS.Pipe(duplex=False)
        arguments = (str(home), url, point, str(lease), telling)
        self.process = FORKS.Process(target=main, args=arguments, daemon=True)
        self.process.start()
        telling.close()
        try:
            self.url: str = told.recv()
        except EOFError as error:
            raise RuntimeError(f"the server did not start: exit {self.ended()}") from error
        finally:
            told.close()
        self._await_health()

    def _await_health(self) -> None:
        with httpx.Client(verify=False) as http:
            for _ in range(400):
                try:
                    if http.get(f"{self.url}/v1/health/").is_success:
                        return
                except httpx.TransportError:
                    time.sleep(0.02)
        raise RuntimeError("the server does not answer")

    def kill(self) -> None:
        """As hard as it gets."""
        self.process.kill()
        self.ended()

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self.process.terminate()
        self.ended()

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        self.process.join(15)
        assert self.process.exitcode is not None, "the server does not end"
        return self.process.exitcode


def reply(request: Any) -> Any:
    """A model with a mind: remembers a name, recalls it from its prompt, refuses a broken history."""
    from perdure.content.parts import returns_of, text_of
    from perdure.testing.oracle import refusal
    from perdure.testing.scripted import call, say, wait

    broken = refusal(request.messages)
    if broken:
        return say(f"REFUSED: {broken}")
    last = request.messages[-1]
    if "write the summary" in request.system:
        return say("Ann said a lot.")
    if "about to leave your view" in text_of(last.parts) and "Called Ann." not in request.system:
        return call("memory_insert", label="human", new_string="Called Ann.")
    if text_of(last.parts).startswith(SLOWLY):
        return wait(lambda: asyncio.sleep(0.3), say("Done."))
    if returns_of(last.parts):
        return say("I will remember that.")
    if text_of(last.parts) == TOLD and "Called Ann." not in request.system:
        return call("memory_insert", label="human", new_string="Called Ann.")
    return say("Your name is Ann." if "Called Ann." in request.system else "I do not know.")


def teller(home: Path) -> Any:
    """A model that is asked for so many words, so many seconds apart: `200 0.005`.

    The next life of a server is told at once what ends in `once`.
    """
    from perdure.content.parts import text_of
    from perdure.testing.scripted import say, slowly

    lives = home / "lives"
    lives.mkdir(parents=True, exist_ok=True)
    is_first = not list(lives.iterdir())
    (lives / str(os.getpid())).touch()

    def tell(request: Any) -> Any:
        count, pause, *once = text_of(request.messages[-1].parts).split()
        words = say(" ".join(f"w{n}" for n in range(int(count))))
        return slowly(words, float(pause)) if is_first or not once else words

    return tell


def caller(request: Any) -> Any:
    """A model that calls the tool it is told the name of, and says what that returned."""
    from perdure.content.parts import returns_of, text_of
    from perdure.testing.scripted import call, say

    last = request.messages[-1]
    returned = returns_of(last.parts)
    return say(returned[0].text) if returned else call(text_of(last.parts))


def main(home: str, url: str, point: str, lease: str, telling: Connection) -> None:
    import uvicorn

    from perdure.config import Settings
    from perdure.server.app import create_app
    from perdure.testing.scripted import ScriptedModel

    model = ScriptedModel()
    model.script("mind", reply)
    model.script("teller", teller(Path(home)))
    model.script("caller", caller)
    settings = Settings.model_validate(
        {
            "home": home,
            "database": {"url": url},
            "models": {"detect": False},
            "runs": {"trace": False, "lease_seconds": lease},
        }
    )
    if point:
        die_at(*point.split("."))
    app = create_app(settings, static={"scripted": model})
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws="none")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    app.state.address = f"http://127.0.0.1:{socket.getsockname()[1]}"
    telling.send(app.state.address)
    server.run([socket])


def die_at(number: str, moment: str) -> None:
    """Kill this process at the n-th write of the first turn."""
    from perdure.db.postgres import PostgresDatabase
    from perdure.db.sqlite import SqliteDatabase

    seen = -1

    def guarded(write: Any) -> Any:
        async def counted(self: Any, work: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal seen
            counts = work.__module__.startswith(("perdure.loop", "perdure.memory"))
            counts = counts and (seen >= 0 or work.__name__ == "accept")
            seen += counts
            if counts and seen == int(number) and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = await write(self, work, *args, **kwargs)
            if counts and seen == int(number) and moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted

    for kind in (SqliteDatabase, PostgresDatabase):
        kind.write = guarded(kind.write)  # type: ignore[method-assign]
