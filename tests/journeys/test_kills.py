"""Servers killed at random moments with agents at work: nothing acknowledged is lost, everything goes on.

`python -m bench.kills` does the same some hundred times.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from bench.kills.harness import Harness
from tests.conftest import DIALECTS, new_database_url

KILLS = 3


@pytest.mark.parametrize("dialect", DIALECTS)
def test_killed_at_random_moments_everything_goes_on(dialect: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = None
        if dialect != "sqlite":
            url, remove = new_database_url(dialect, tmp_path)
            stack.callback(remove)
        tally = asyncio.run(Harness(stack, url, agents=4, seed=11, home=tmp_path).run(KILLS))
    assert tally.faults == []
    assert (tally.kills, tally.inputs > 0) == (KILLS, True)
