"""Parts survive being stored."""

import json

from hypothesis import given
from hypothesis import strategies as st

from perdure.content.codec import from_json, to_json
from perdure.content.parts import Approval, Image, Part, Reasoning, Text, ToolCall, ToolReturn

optional = st.none() | st.text(max_size=20)
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, st.text()),
    st.builds(Reasoning, st.text(), optional, st.booleans(), optional, optional),
    st.builds(Image, optional, optional, optional, optional, optional),
    st.builds(ToolCall, st.text(), st.text(), st.text()),
    st.builds(Approval, st.text(), st.booleans(), optional),
    st.builds(
        ToolReturn,
        st.text(),
        st.text(),
        st.text(),
        st.sampled_from(["success", "error"]),
        st.lists(st.text(), max_size=3).map(tuple),
        st.lists(st.text(), max_size=3).map(tuple),
    ),
)


@given(st.lists(parts, max_size=5))
def test_parts_read_back_as_they_were_stored(given_parts: list[Part]) -> None:
    stored = json.loads(json.dumps(to_json(given_parts)))
    assert from_json(stored) == tuple(given_parts)


def test_fields_at_their_default_take_no_room() -> None:
    assert to_json([Reasoning("hm")]) == [{"type": "reasoning", "text": "hm"}]
