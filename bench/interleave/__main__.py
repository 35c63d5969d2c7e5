"""The command: `python -m bench.interleave --help`."""

import argparse
import asyncio
import logging
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.interleave.story import story
from bench.processes import database_url
from perdure.config import Settings
from perdure.testing.live import LiveServer, serve
from perdure.testing.scripted import ScriptedModel


def main() -> None:
    """Tell stories until the time is over."""
    parser = argparse.ArgumentParser(prog="python -m bench.interleave", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first story; the next has the next")
    parser.add_argument("--at-once", type=int, default=3, help="stories told side by side [%(default)s]")
    parser.add_argument("--rounds", type=int, default=6, help="rounds of each story [%(default)s]")
    parser.add_argument("--log", help="write the server's errors to this file")
    parser.add_argument("--database-url", help="`postgres` starts a throw-away one; else a fresh SQLite file")
    options = parser.parse_args()
    logging.basicConfig(filename=options.log, level=logging.ERROR)
    logging.disable(logging.WARNING if options.log else logging.ERROR)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-home-")))
        url = database_url(options.database_url, stack)
        live = stack.enter_context(contextmanager(serve)(settings(home, url), ScriptedModel()))
        asyncio.run(_tell(live, options))


def settings(home: Path, url: str | None) -> Settings:
    """A server that trusts us, and waits little for those that died."""
    named = {"home": home, "models": {"detect": False}, "runs": {"lease_seconds": 2.0}}
    return Settings.model_validate(named | ({"database": {"url": url}} if url else {}))


async def _tell(live: LiveServer, options: argparse.Namespace) -> None:
    end = time.monotonic() + options.seconds
    seed, stories, deeds = options.seed, 0, 0
    while time.monotonic() < end:
        seeds = range(seed, seed + options.at_once)
        deeds += sum(await asyncio.gather(*(story(live, {}, one, options.rounds) for one in seeds)))
        seed, stories = seed + options.at_once, stories + options.at_once
        live.scripted.requests.clear()
    print(f"{stories} stories (seeds {options.seed} to {seed - 1}), {deeds} deeds, nothing broken")


if __name__ == "__main__":
    main()
