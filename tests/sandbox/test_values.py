"""JSON goes in and comes out unchanged."""

import dataclasses
import math
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure.sandbox.base import Job
from perdure.sandbox.chosen import ChosenSandbox
from perdure.sandbox.guest.values import to_json
from perdure.sandbox.settings import SandboxSettings

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
BATCH = st.lists(JSON, min_size=1, max_size=40)


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[ChosenSandbox]:
    opened = ChosenSandbox(SandboxSettings())
    yield opened
    await opened.close()


@given(values=BATCH)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_arguments_reach_the_function_and_any_value_comes_back(
    sandbox: ChosenSandbox, values: list[Any]
):
    source = "def f(values, spelled):\n    import json\n    return [values, values == json.loads(spelled)]"
    spelled = orjson.dumps(values).decode()
    found = await sandbox.run(Job(source, "org-1", "f", arguments={"values": values, "spelled": spelled}))
    assert found.value == [values, True], found


async def test_integers_of_any_length_reach_the_function(sandbox: ChosenSandbox):
    found = await sandbox.run(Job("def f(n): return n == 10**100", "org-1", "f", arguments={"n": 10**100}))
    assert found.value is True


@given(value=JSON)
def test_values_of_json_are_told_as_they_are(value: Any):
    assert orjson.loads(to_json(value)) == value


class Cyclic:
    def tolist(self) -> object:
        return self


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (math.inf, "inf"),
        (-(2**63) - 1, str(-(2**63) - 1)),
        ("a\ud800b", "a?b"),
        ({"\udfff": 1}, {"?": 1}),
        ({(1, 2): 3}, {"(1, 2)": 3}),
        (dataclasses.make_dataclass("D", ["x"])({1, 3, 2}), {"x": [1, 2, 3]}),
        (frozenset({1, "a"}), None),
        (memoryview(b"ab"), [97, 98]),
        ({1: 2}.keys(), [1]),
        (iter([1]), None),
    ],
)
def test_what_json_cannot_say_is_told_as_text(value: object, told: object):
    read = orjson.loads(to_json(value))
    assert told is None or read == told


def test_integers_that_python_does_not_spell_are_told_in_hexadecimal():
    assert orjson.loads(to_json(10**5000)) == hex(10**5000)


def test_what_contains_itself_is_an_error():
    with pytest.raises(ValueError, match="contains itself"):
        to_json(Cyclic())
