"""How large a request is: close to what the provider counted last."""

import time

from hypothesis import given
from hypothesis import strategies as st

from perdure.content.parts import Message, Text, ToolCall, ToolReturn
from perdure.loop.measure import Calibration, Size, limit_of, size_of
from perdure.providers.base import ModelRequest, ToolSpec

TOOL = ToolSpec("note", "Write a note.", {"type": "object", "properties": {"text": {"type": "string"}}})


def request_of(*messages: Message, tools: int = 0, system: str = "") -> ModelRequest:
    return ModelRequest("m", system, messages, tools=(TOOL,) * tools)


def test_tools_and_prompt_are_what_is_sent_every_time() -> None:
    plain = size_of(request_of())
    assert plain == Size(0, 0)
    assert size_of(request_of(system="x" * 400)).fixed == 100
    assert 20 < size_of(request_of(tools=1)).fixed < 50
    said = Message("assistant", (Text("x" * 40), ToolCall("c", "note", "{}")))
    returned = Message("tool", (ToolReturn("c", "note", "y" * 40),))
    assert 30 < size_of(request_of(said, returned)).messages < 60


@given(st.floats(0.75, 3.9), st.integers(20_000, 200_000))
def test_the_next_estimate_is_close_to_what_was_counted(truth: float, estimated: int) -> None:
    calibration = Calibration()
    assert calibration.ratio("m") == 1
    calibration.learn("m", estimated, round(estimated * truth))
    assert abs(calibration.ratio("m") - truth) < 0.1
    assert calibration.ratio("other") == 1


def test_odd_counts_are_believed_in_part() -> None:
    calibration = Calibration()
    calibration.learn("m", 10_000, 3)  # a server that leaves out what it had cached
    assert calibration.ratio("m") == 0.7
    calibration.learn("m", 10_000, 0)
    calibration.learn("m", 0, 100)
    assert calibration.ratio("m") == 0.7
    calibration.learn("m", 20, 120)  # a vendor's frame around a tiny request
    assert calibration.ratio("m") < 1.3
    for number in range(2000):
        calibration.learn(f"m{number}", 1000, 1000)
    assert len(calibration.ratios) <= 1000


def test_long_answers_are_given_room() -> None:
    assert limit_of(10_000, 0, None) == 9_000
    assert limit_of(10_000, 0, 500) == 9_000
    assert limit_of(10_000, 0, 3_000) == 7_000
    assert limit_of(10_000, 0, 50_000) == 5_000
    assert limit_of(10_000, 9_500, None) == 9_750  # a prompt that leaves little


def test_measuring_a_short_context_takes_microseconds() -> None:
    history = [Message("user", (Text("How are you today? " * 5),)) for _ in range(20)]
    request = request_of(*history, tools=3, system="x" * 4000)
    size_of(request)
    began = time.perf_counter()
    for _ in range(100):
        size_of(request)
    assert (time.perf_counter() - began) / 100 < 0.001  # about 0.00003 on a quiet machine
