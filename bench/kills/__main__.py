"""The command: `python -m bench.kills --help`."""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import processes
from bench.kills.harness import Harness, Tally


def main() -> None:
    """Kill, check, tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="[%(default)s]")
    parser.add_argument("--agents", type=int, default=6, help="agents at work at once [%(default)s]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url", help="with a Postgres two servers share it; `postgres` starts one")
    options = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        url = processes.database_url(options.database_url, stack)
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-home-")))
        harness = Harness(stack, url, options.agents, options.seed, home)
        tally = asyncio.run(harness.run(options.kills))
    tell(tally, time.monotonic() - began, "postgres, two servers" if url else "sqlite, one server")
    sys.exit(bool(tally.faults))


def tell(tally: Tally, seconds: float, where: str) -> None:
    """The report."""
    print(f"{tally.kills} kills in {seconds:.0f} s ({where})")
    print(f"inputs taken on {tally.inputs}, of unknown fate {tally.unsure}; answered {tally.answered}")
    print(f"runs left open {tally.interrupted}; all had an end {tally.slowest_end:.2f} s after a start")
    print(f"slowest restart {tally.slowest_start:.2f} s")
    print(
        "\n".join(["faults:", *tally.faults]) if tally.faults else "nothing lost, nothing doubled, no fault"
    )


if __name__ == "__main__":
    main()
