"""A Perdure server that tells from time to time what it holds: `python -m bench.soak.server serve`."""

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import Any

import orjson

FILE = "BENCH_HELD"
EVERY_SECONDS = 2.0


def watch(file: Path) -> None:
    """Write down how many tasks, runs and blocks of memory there are, as often as it is worth."""
    from perdure.runs.runner import Runner

    runners: list[Any] = []
    begin = Runner.start

    async def started(self: Runner) -> None:
        await begin(self)
        runners.append((self, asyncio.get_running_loop()))

    def count(runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
        held = {
            "tasks": len(asyncio.all_tasks(loop)),
            "runs": len(runner.live),
            "blocks": sys.getallocatedblocks(),
        }
        file.write_bytes(orjson.dumps(held))

    def tell() -> None:
        while True:
            threading.Event().wait(EVERY_SECONDS)
            for runner, loop in runners:
                loop.call_soon_threadsafe(count, runner, loop)

    Runner.start = started  # type: ignore[method-assign]
    threading.Thread(target=tell, name="watch", daemon=True).start()


if __name__ == "__main__":
    from perdure.cli.main import run

    watch(Path(os.environ[FILE]))  # noqa: TID251
    sys.argv[0] = "perdure"
    run()
