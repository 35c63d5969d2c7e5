"""Schemas that callers send: references in place, titles gone."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from perdure.tools.arguments import check
from perdure.tools.derive import NoSchema, schema_from_source
from perdure.tools.derive.inline import inlined

SOURCE = "def manage(data: 'Entry', change: int = 1) -> bool:\n    '''Manage.'''\n"


class Item(BaseModel):
    sku: str
    title: str | None = None


class Entry(BaseModel):
    item: Item = Field(description="What it is.")
    others: list[Item] = []


class Arguments(BaseModel):
    data: Entry
    change: int = 1


def test_args_json_schema_stands_in_place_of_hints() -> None:
    made = schema_from_source(SOURCE, Arguments.model_json_schema())
    assert made["name"] == "manage"
    assert made["description"] == "Manage."
    item = {
        "type": "object",
        "properties": {"sku": {"type": "string"}, "title": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "required": ["sku"],
    }
    item["properties"]["title"]["default"] = None
    assert made["parameters"] == {
        "type": "object",
        "properties": {
            "data": {
                "type": "object",
                "properties": {
                    "item": {**item, "description": "What it is."},
                    "others": {"type": "array", "items": item, "default": []},
                },
                "required": ["item"],
            },
            "change": {"type": "integer", "default": 1},
        },
        "required": ["data"],
    }
    given: dict[str, Any] = {"data": {"item": {"sku": "a", "title": None}, "others": [{"sku": "b"}]}}
    assert check(made["parameters"], given) == (given, [])


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "string"}, "must be the schema of an object"),
        ({"properties": []}, "`properties` must be an object"),
        ({"properties": {"data": []}}, "there is a list where a schema must be"),
        ({"properties": {"data": {"$ref": "#/$defs/Gone"}}}, "'#/\\$defs/Gone' refers to nothing in it"),
        ({"properties": {"data": {"$ref": "http://example.com"}}}, "refers to nothing"),
        ({"properties": {"data": {"$ref": "#"}}}, "too large|contains itself"),
        (
            {"properties": {"data": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}},
            "contains itself",
        ),
        ({"properties": {}, "required": "data"}, "`required` must be a list of names"),
        (
            {"properties": {"data": {}, "more": {}}},
            "args_json_schema has more, which the function does not take",
        ),
        ({"properties": {"data": {"type": "text"}}}, "'text' is no type; types are array, boolean"),
        ({"properties": {"data": {"type": ["string", 5]}}}, "'5' is no type"),
        ({"properties": {"data": {"items": []}}}, "`items` must be a schema"),
        ({"properties": {"data": {"enum": "a"}}}, "`enum` must be a list of values"),
        ({"properties": {"data": {"description": 5}}}, "`description` must be text"),
        ({"properties": {"data": {"required": [5]}}}, "`required` must be a list of names"),
        ({"properties": {"da ta": {}}}, "'da ta' is no name of a parameter"),
        ({"properties": {"change": {}}}, "args_json_schema lacks data, which the function needs"),
    ],
)
def test_a_schema_that_does_not_fit_is_refused(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(NoSchema, match=why):
        schema_from_source(SOURCE, schema)


def test_few_references_cannot_stand_for_a_huge_schema() -> None:
    definitions: dict[str, Any] = {"A0": {"type": "string"}}
    for at in range(1, 30):
        both = {"$ref": f"#/$defs/A{at - 1}"}
        definitions[f"A{at}"] = {"type": "object", "properties": {"a": both, "b": both}}
    with pytest.raises(NoSchema, match="too large"):
        inlined({"properties": {"x": {"$ref": "#/$defs/A29"}}, "$defs": definitions}, "json_schema")


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    inner = {"type": "object", "properties": {"$ref": {"type": "string"}}}
    properties = {"title": {"type": "string"}, "items": inner, "definitions": {"type": "array"}}
    schema = {"type": "object", "properties": properties}
    assert inlined(schema, "json_schema") == schema
    one = {
        "properties": {"a": {"allOf": [{"$ref": "#/definitions/A"}], "default": 1}},
        "definitions": {"A": {"title": "A", "type": "integer"}},
    }
    assert inlined(one, "json_schema")["properties"] == {"a": {"type": "integer", "default": 1}}


KEYS = st.sampled_from(
    [
        *("type", "properties", "items", "$ref", "$defs", "anyOf", "allOf", "required", "title", "enum"),
        *("additionalProperties", "description", "default"),
    ]
)
TYPED = st.sampled_from(["string", "array", "object", "odd", 5])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["object", "#/$defs/a", "#", "a", ""]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(KEYS | st.just("a"), inner, max_size=4),
        st.fixed_dictionaries({"type": TYPED}, optional={"items": inner, "properties": inner}),
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries({}, optional={"properties": st.dictionaries(st.just("a"), JSON), "$defs": JSON}),
    JSON,
)
def test_any_object_is_a_schema_or_refused(schema: dict[str, Any], value: Any) -> None:
    try:
        made = inlined(schema, "json_schema")
    except NoSchema:
        return
    orjson.dumps(made)
    check(made, {"a": value, "type": value})
