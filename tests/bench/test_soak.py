"""What grows is told from what only goes up and down."""

from random import Random

from bench.soak.samples import trend

SECONDS = [float(second) for second in range(100)]


def test_what_goes_up_and_down_is_flat() -> None:
    random = Random(1)
    assert trend(SECONDS, [100 + random.uniform(-20, 20) for _ in SECONDS]).flat


def test_what_grows_is_not_flat() -> None:
    line = trend(SECONDS, [100 + second / 5 for second in SECONDS])
    assert not line.flat
    assert round(line.rise, 1) == 19.8


def test_a_little_growth_is_allowed() -> None:
    assert trend(SECONDS, [100 + second / 50 for second in SECONDS]).flat
