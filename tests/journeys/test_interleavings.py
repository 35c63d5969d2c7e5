"""Whatever happens to a history at once, it goes on; `python -m bench.interleave` tells more."""

import asyncio

import pytest
from bench.interleave.story import story

from perdure.testing.live import LiveServer


@pytest.mark.parametrize("seed", [3, 4])
def test_whatever_happens_at_once_the_next_message_works(live: LiveServer, api_key: str, seed: int) -> None:
    refused = len(live.scripted.refused)
    headers = {"Authorization": f"Bearer {api_key}"}
    assert asyncio.run(story(live, headers, seed, rounds=2)) > 0
    assert live.scripted.refused[refused:] == []
