"""What a memory weighs beside what is true."""

from bench.hygiene.life import facts_in, life
from bench.hygiene.weigh import Weight, weigh


def test_a_life_is_the_same_for_the_same_seed_and_ends_with_what_was_said_last() -> None:
    lived = life(200, 3)
    assert lived == life(200, 3)
    assert lived != life(200, 4)
    told = [fact for said in lived.sayings for fact in facts_in(said)]
    assert dict(told) == lived.true
    assert len(told) > len(lived.true)
    assert any(not [*facts_in(said)] for said in lived.sayings)


def test_lines_are_counted_as_the_best_that_they_are() -> None:
    true = {"home": "Oslo", "pet": "cat", "drink": "tea"}
    lines = ["I live in Bergen.", "I live in Oslo.", "", "My home is in Oslo these days.", "Good morning!"]
    assert weigh([*lines, "My pet is a cat. I live in Oslo."], true) == Weight(
        lines=5, kept=2, missing=1, duplicates=1, stale=1, junk=1
    )
    assert weigh([], {}).clean == 1
