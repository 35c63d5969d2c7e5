"""Any argument JSON reaches the function unchanged: through the dispatcher, the sandbox and back."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.tools.test_dispatch import row

from perdure.content.parts import ToolCall
from perdure.tenancy.actor import Actor
from perdure.tools.base import ToolContext
from perdure.tools.send_message import send_message

SOURCE = "def echo(value=None, **more):\n    return {'value': value, 'more': more}\n"
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


class Facts:
    def sealed(self, *_: Any) -> list[Any]:
        return []

    def opened(self, *_: Any) -> dict[str, str]:
        return {}


@pytest.fixture(scope="module")
def echo(live: Any) -> Any:
    """A function that has a tool return its arguments."""
    state = live.app.state
    schema = {
        "name": "echo",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": True},
    }
    tool = row(send_message, name="echo", kind="custom", source_code=SOURCE, json_schema=schema)

    def echo(arguments: dict[str, Any]) -> Any:
        ctx = ToolContext(state.db, Actor("org-x"), "", "", "", "", None, Facts())  # type: ignore[arg-type]
        call = ToolCall("1", "echo", orjson.dumps(arguments).decode())
        return live.ask(state.dispatcher.call(ctx, tool, call))

    return echo


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON, more=st.dictionaries(TEXT.filter(lambda name: name != "value"), JSON, max_size=3))
def test_any_json_reaches_the_function_and_comes_back(echo: Any, value: Any, more: dict[str, Any]) -> None:
    returned = echo({"value": value, **more})
    assert returned.status == "success", returned.text
    assert orjson.loads(returned.text) == {"value": value, "more": more}
