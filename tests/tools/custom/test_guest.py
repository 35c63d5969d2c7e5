"""What stands inside the sandbox before a tool: its arguments in the types of its hints, its agent."""

import enum
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.tools.custom.guest import State, agent_state, call, fit


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Model(pydantic.BaseModel):
    name: str
    size: Size = Size.SMALL


@dataclass
class Point:
    x: int
    at: date


class Named(TypedDict):
    name: str


ID = "5b0f3a1e-0d52-4f0c-9a5c-6a8a2a2f3d11"
MADE = [
    (Size, "small", Size.SMALL),
    (Model, {"name": "a", "size": "large"}, Model(name="a", size=Size.LARGE)),
    (list[Model], [{"name": "a"}], [Model(name="a")]),
    (dict[str, Model], {"k": {"name": "a"}}, {"k": Model(name="a")}),
    (dict[int, str], {"1": "a"}, {1: "a"}),
    (Point, {"x": 1, "at": "2026-11-23"}, Point(1, date(2026, 11, 23))),
    (Optional[Model], None, None),  # noqa: UP045 - as users write it
    (Model | None, {"name": "a"}, Model(name="a")),
    (Union[int, date], "2026-11-23", date(2026, 11, 23)),  # noqa: UP007
    (str | date, "2026-11-23", "2026-11-23"),
    (float | None, 1, 1),
    (datetime, "2026-11-23T21:00:00Z", datetime(2026, 11, 23, 21, tzinfo=UTC)),
    (Decimal, 1.5, Decimal("1.5")),
    (uuid.UUID, ID, uuid.UUID(ID)),
    (Annotated[date, "when"], "2026-11-23", date(2026, 11, 23)),
    (tuple[int, date], [1, "2026-11-23"], (1, date(2026, 11, 23))),
    (tuple[date, ...], ["2026-11-23"], (date(2026, 11, 23),)),
    (set[str], ["a"], {"a"}),
    (Named, {"name": "a"}, {"name": "a"}),
    (list[Named], [{"name": "a"}], [{"name": "a"}]),
    (Literal["a"], "a", "a"),
    (Any, {"a": 1}, {"a": 1}),
    (None, [1], [1]),
]


@pytest.mark.parametrize(("hint", "value", "made"), MADE)
def test_a_value_comes_in_the_type_of_its_hint(hint, value, made):
    found = fit(hint, value)
    assert (found, type(found)) == (made, type(made))


def test_what_cannot_be_made_says_why():
    with pytest.raises(ValueError, match="not a valid Size"):
        fit(Size, "huge")
    with pytest.raises(ValueError, match="isoformat"):
        fit(date, "tomorrow")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
HINTS = (None, Any, object, str, int, float, bool, list, dict, list[Any], dict[str, Any], str | int | None)


@given(JSON, st.sampled_from(HINTS))
def test_json_reaches_plain_hints_unchanged(value, hint):
    found = fit(hint, value)
    assert found == value
    assert type(found) is type(value)


def test_hints_that_cannot_be_read_leave_all_as_it_is():
    def tool(a: "Nowhere") -> Any:  # noqa: F821
        return a

    assert call(tool, {"a": {"b": 1}}) == {"b": 1}


STATE = {"id": "agent-1", "memory": {"blocks": [{"label": "human", "value": "tea"}]}, "tags": ["a"]}


def test_an_agent_is_read_by_attributes_and_keys():
    state = agent_state(STATE)
    assert (state.id, state["id"], state.get("nothing"), "tags" in state) == (
        "agent-1",
        "agent-1",
        None,
        True,
    )
    assert state.memory.get_block("human").value == "tea"
    assert state.memory.get_blocks() is not state.blocks
    assert state.model_dump()["memory"] == STATE["memory"]
    assert "id='agent-1'" in repr(state)
    with pytest.raises(KeyError, match="no block 'x'; there are human"):
        state.memory.get_block("x")
    with pytest.raises(TypeError, match="must be text, not int"):
        state.memory.update_block_value("human", 1)


def test_only_what_changed_in_memory_is_told():
    def tool(agent_state: State, other: int) -> int:
        agent_state.memory.update_block_value(label="human", value=f"tea {other}")
        return other

    assert call(tool, {"agent_state": STATE, "other": 1}) == {"value": 1, "blocks": {"human": "tea 1"}}
    assert call(lambda agent_state: agent_state.id, {"agent_state": STATE}) == {
        "value": "agent-1",
        "blocks": {},
    }


async def test_an_async_tool_tells_it_when_it_is_done():
    async def tool(agent_state: State) -> None:
        agent_state.blocks[0].value = "coffee"

    assert await call(tool, {"agent_state": STATE}) == {"value": None, "blocks": {"human": "coffee"}}
