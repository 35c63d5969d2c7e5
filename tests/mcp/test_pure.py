"""Names, templates, schemas and results: the parts that know no server."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import Tool

from perdure.mcp.connection import listed_tool
from perdure.mcp.errors import McpError
from perdure.mcp.remote import RemoteTool, is_usable, local_name, remote_tool, schema_health
from perdure.mcp.results import returned
from perdure.mcp.target import MissingSecret, Secrets, check_headers, credential, target_of
from perdure.mcp.templates import filled, is_only_places, names_in
from perdure.tools.custom.redact import Redact

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), max_size=20, unique=True))
def test_every_tool_gets_a_name_of_its_own_that_vendors_take(tools):
    taken: set[str] = set()
    for server, remote in tools:
        name = local_name(server, remote, taken)
        assert NAME.fullmatch(name)
        assert name not in taken
        taken.add(name)


def test_a_name_is_the_tools_own_where_it_is_free():
    assert local_name("hub", "search", set()) == "search"
    assert local_name("hub", "search", {"search"}) == "hub__search"
    assert local_name("hub", "search", {"search", "hub__search"}) == "hub__search_2"
    assert local_name("hub", "x" * 80, set()) != local_name("hub", "x" * 81, set())


def test_places_are_filled_with_secrets_or_their_defaults():
    missing: set[str] = set()
    values = {"A": "1"}
    assert filled("{{ A }}-{{B|two}}-{{ C | 'x y' }}-{{D}}", values, missing) == "1-two-x y-"
    assert missing == {"D"}
    assert names_in("{{ A }} {{B|b}} {{ not this }}") == {"A", "B"}
    assert filled("{{ A }}", {"A": "{{ B }}"}, missing) == "{{ B }}"  # a value is never filled again


def test_what_holds_nothing_but_names_may_be_shown():
    assert is_only_places("Bearer {{ TOKEN }}")
    assert is_only_places("{{ TOKEN }}")
    assert not is_only_places("{{ TOKEN | s3cret }}")
    assert not is_only_places("x{{ TOKEN }}")
    assert not is_only_places("plain")


def test_a_token_is_shown_as_its_header_wants_it():
    assert credential("Authorization", "abc") == "Bearer abc"
    assert credential("authorization", "Basic abc") == "Basic abc"
    assert credential("X-Api-Key", "abc") == "abc"


def test_headers_that_cannot_be_sent_are_refused_without_quoting_their_values():
    with pytest.raises(Exception, match="no name of a header"):
        check_headers({"X A": "b"})
    with pytest.raises(Exception, match="X-A") as caught:
        check_headers({"X-A": "secret\r\nX-B: c"})
    assert "secret" not in str(caught.value)


def test_secrets_are_not_in_what_a_target_shows():
    secrets = Secrets("tok3n", {"X": "hush"}, {"Y": "quiet"})
    target = target_of(
        "box", "sse", url="http://x", auth_header=None, command=None, args=None, secrets=secrets, values={}
    )
    for word in ("tok3n", "hush", "quiet"):
        assert word not in repr(target)
        assert word not in repr(secrets)
    with pytest.raises(MissingSecret, match="NAME"):
        target_of(
            "box",
            "sse",
            url="",
            auth_header=None,
            command=None,
            args=None,
            secrets=Secrets("{{ NAME }}"),
            values={},
        )


def test_what_nobody_is_to_read_in_answers():
    target = target_of(
        "box",
        "sse",
        url="http://x",
        auth_header=None,
        command=None,
        args=None,
        secrets=Secrets(
            "{{ A }}", {"X-Api-Key": "own", "X-Team": "blue"}, {"DB_PASSWORD": "pw", "MODE": "fast"}
        ),
        values={"A": "from the agent", "B": "not asked for"},
    )
    assert target.hidden == {
        "A": "from the agent",
        "Authorization": "from the agent",
        "X-Api-Key": "own",
        "DB_PASSWORD": "pw",
    }


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


def listed(schema: Any, **more: Any) -> RemoteTool:
    return remote_tool({"name": "a", "inputSchema": schema, **more}, Redact({}))


STRICT = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "status"),
    [
        (STRICT, "STRICT_COMPLIANT"),
        ({"type": "object", "properties": {}, "additionalProperties": False}, "STRICT_COMPLIANT"),
        ({**STRICT, "required": []}, "NON_STRICT_ONLY"),
        ({**STRICT, "additionalProperties": True}, "NON_STRICT_ONLY"),
        ({**STRICT, "properties": {"a": {"oneOf": [{"type": "null"}]}}}, "NON_STRICT_ONLY"),
        ({**STRICT, "properties": {"a": {"type": "array", "items": {"type": "object"}}}}, "NON_STRICT_ONLY"),
        ({"type": "array"}, "INVALID"),
        ({"type": "object", "properties": []}, "INVALID"),
        ({"type": "object", "properties": {"a": 1}}, "INVALID"),
        ({"type": "object", "required": "a"}, "INVALID"),
        ({**STRICT, "properties": {"a": {"type": "array"}}}, "STRICT_COMPLIANT"),
        ({**STRICT, "properties": {"a": True}}, "STRICT_COMPLIANT"),
        ({"properties": {"a": {"type": "strng"}}}, "INVALID"),
        ({"properties": {"a": {"$ref": "#/$defs/Lost"}}}, "INVALID"),
        ({"properties": {"a b/c": {"type": "string"}}}, "INVALID"),
        ({"properties": {"a": {"type": "object", "properties": []}}}, "INVALID"),
        ({"properties": {"a": {"type": "integer", "maximum": 2**64}}}, "INVALID"),
        ({"properties": {"a": {"default": nested(300)}}}, "INVALID"),
    ],
)
def test_what_can_be_done_with_a_schema_is_told(schema, status):
    tool = listed(schema)
    health = schema_health(tool)
    assert health.status == status
    assert is_usable(tool) == (status != "INVALID")
    assert tool.digest
    assert bool(health.reasons) == (status != "STRICT_COMPLIANT")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "required", "items", "anyOf", "$defs"]), JSON))
def test_no_schema_breaks_the_look_at_it(schema):
    assert schema_health(listed(schema)).status


def test_what_the_sdk_cannot_write_is_no_tool_of_ours():
    tool = listed_tool(Tool(name="a", input_schema={"default": nested(300)}), Redact({}))
    assert schema_health(tool).status == "INVALID"


def test_a_schema_is_kept_with_its_references_in_place():
    whole = {"properties": {"a": {"$ref": "#/$defs/A"}, "b": True}, "$defs": {"A": {"type": "string"}}}
    kept = {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}}
    assert listed(whole).parameters == kept


def test_a_listing_does_not_tell_the_secrets_its_server_was_shown():
    redact = Redact({"KEY": "hush-hush"})
    schema = {"properties": {"a": {"description": "for hush-hush", "default": "hush-hush"}}}
    wire = {"name": "a", "description": "I saw hush-hush", "inputSchema": schema, "title": "hush-hush"}
    tool = remote_tool(wire, redact)
    assert is_usable(tool)
    assert tool.description == "I saw [redacted KEY]"
    assert "hush-hush" not in repr(tool)
    for more in ({"name": "get_hush-hush"}, {"inputSchema": {"maximum": 2**64}}):
        tool = remote_tool({**wire, **more}, redact)
        assert not is_usable(tool)
        assert "hush-hush" not in repr(tool)


def test_a_digest_differs_with_what_a_model_is_told():
    tool = RemoteTool("a", "b", STRICT)
    assert tool.digest == RemoteTool("a", "b", dict(STRICT), {"annotations": {}}).digest
    assert tool.digest != RemoteTool("a", "c", STRICT).digest
    assert not tool.harmless
    assert RemoteTool("a", "b", {}, {"annotations": {"readOnlyHint": True}}).harmless


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("content", "structured", "value"),
    [
        ([text("a"), text("b")], None, "a\nb"),
        ([text("5")], {"result": 5}, "5"),
        ([text("a"), text("b")], {"result": ["a", "b"]}, "a\nb"),
        ([text('{"a":1}')], {"a": 1}, '{"a":1}'),
        ([text("Found 1")], {"a": 1}, 'Found 1\n{"a": 1}'),
        ([], {"a": 1}, {"a": 1}),
        ([], None, ""),
        (
            [{"type": "resource", "resource": {"uri": "f:a", "mimeType": "text/plain", "text": "hi"}}],
            None,
            "[resource: f:a, text/plain]\nhi",
        ),
        (
            [{"type": "resource", "resource": {"uri": "f:a", "blob": "AAAA"}}],
            None,
            "[resource: f:a, unknown, 3 bytes]",
        ),
        ([{"type": "hologram"}], None, "[hologram]"),
    ],
)
def test_results_are_told_once_and_whole(content, structured, value):
    assert returned(content, structured, failed=False).value == value
    assert returned(content, structured, failed=True).status == "error"


@given(JSON)
def test_structured_content_is_never_lost(value):
    told = returned([text("other")], {"deep": value}, failed=False).value
    assert json.loads(told.split("\n", 1)[1]) == {"deep": value}


def test_a_text_nested_too_deeply_is_a_text():
    deep = "[" * 200_000
    assert returned([text(deep)], {"a": 1}, failed=False).value == deep + '\n{"a": 1}'


def test_errors_of_servers_are_not_retried_by_clients():
    assert McpError("x").headers["x-should-retry"] == "false"
