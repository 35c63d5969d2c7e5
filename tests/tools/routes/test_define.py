"""Making and changing tools through the official client."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from letta_client import BadRequestError, UnprocessableEntityError
from pydantic import BaseModel

SOURCE = '''
from typing import Literal


def helper(text: str) -> str:
    return text


def weather(town: str, unit: Literal["c", "f"] = "c", agent_state: "AgentState" = None) -> str:
    """How the weather is.

    Args:
        town: Where.
        unit: Degrees.
    """
    return helper(town)
'''
PARAMETERS = {
    "type": "object",
    "properties": {
        "town": {"type": "string", "description": "Where."},
        "unit": {"type": "string", "enum": ["c", "f"], "default": "c", "description": "Degrees."},
    },
    "required": ["town"],
}
TYPESCRIPT = "export async function add(a: number, b: number): Promise<number> { return a + b }"
ADD = {
    "name": "add",
    "description": "Add.",
    "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
}


def test_a_tool_is_made_of_its_source(client) -> None:
    made = client.tools.create(source_code=SOURCE)
    assert made.name == "weather"
    assert made.description == "How the weather is."
    assert (made.tool_type, made.source_type, made.source_code) == ("custom", "python", SOURCE)
    assert made.json_schema == {
        "name": "weather",
        "description": "How the weather is.",
        "parameters": PARAMETERS,
    }
    assert (made.tags, made.return_char_limit, made.enable_parallel_execution) == ([], 50_000, False)
    assert client.tools.retrieve(made.id) == made
    assert [tool.id for tool in client.tools.list(tool_types=["custom"])] == [made.id]


def test_what_is_said_of_a_tool_is_kept(client) -> None:
    said = {
        "description": "Weather, short.",
        "tags": ["sky", "short"],
        "return_char_limit": 10,
        "pip_requirements": [{"name": "pandas", "version": "2.2"}, {"name": "requests[socks]"}],
        "npm_requirements": [{"name": "@types/node", "version": "^20.1.0"}],
        "default_requires_approval": True,
        "enable_parallel_execution": True,
    }
    made = client.tools.create(source_code=SOURCE, **said).model_dump()
    said["pip_requirements"][1]["version"] = None
    assert {field: made[field] for field in said} == said
    assert made["json_schema"]["description"] == "Weather, short."
    assert made["created_by_id"] == made["last_updated_by_id"] is not None
    project = client.tools.create(source_code="def other(): 'Do.'", extra_headers={"X-Project-Id": "p"})
    assert (made["project_id"], project.project_id) == (None, "p")


def test_a_tool_of_the_same_name_is_changed_and_keeps_its_id(client) -> None:
    first = client.tools.with_raw_response.create(source_code=SOURCE, tags=["sky"], return_char_limit=10)
    again = client.tools.with_raw_response.create(source_code=SOURCE)
    put = client.tools.with_raw_response.upsert(source_code=SOURCE, tags=[])
    outcomes = [answer.headers["x-perdure-outcome"] for answer in (first, again, put)]
    assert outcomes == ["created", "updated", "updated"]
    assert {answer.parse().id for answer in (first, again, put)} == {first.parse().id}
    assert (again.parse().tags, again.parse().return_char_limit) == (["sky"], 50_000)
    assert put.parse().tags == []


def test_a_given_schema_counts_as_it_is(client) -> None:
    item = {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}
    given = {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"item": {"$ref": "#/$defs/Item"}},
            "$defs": {"Item": item},
        },
        "strict": True,
    }
    made = client.tools.create(source_code=SOURCE, json_schema=given)
    assert made.json_schema == {
        "name": "weather",
        "description": "How the weather is.",
        "parameters": {"type": "object", "properties": {"item": item}},
        "strict": True,
    }
    enveloped = {"type": "function", "function": {"name": "helper", "description": "Help."}}
    other = client.tools.create(source_code=SOURCE, json_schema=enveloped)
    assert (other.name, other.description) == ("helper", "Help.")
    assert other.json_schema["parameters"] == {"type": "object", "properties": {}}


def test_what_older_clients_send_for_functions_and_tool_classes_works(client, http) -> None:
    """Their `upsert_from_function` and `add(BaseTool)` send a source and Pydantic's schema."""

    class Item(BaseModel):
        sku: str

    class Arguments(BaseModel):
        item: Item
        change: int

    body = {
        "source_code": 'def manage(item: Item, change: int) -> bool:\n    """\n    How.\n    """\n',
        "args_json_schema": Arguments.model_json_schema(),
        "description": "Manage the inventory.",
        "tags": ["shop"],
    }
    answer = http.put("/v1/tools/", json=body)
    assert answer.status_code == 200
    made = answer.json()
    assert made["json_schema"] == {
        "name": "manage",
        "description": "Manage the inventory.",
        "parameters": {
            "type": "object",
            "properties": {
                "item": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]},
                "change": {"type": "integer"},
            },
            "required": ["item", "change"],
        },
    }
    assert made["args_json_schema"] == Arguments.model_json_schema()
    undescribed = http.put("/v1/tools/", json={"source_code": "def plain(a: int) -> int:\n    'Do.'\n"})
    assert undescribed.json()["json_schema"]["parameters"]["properties"] == {
        "a": {"type": "integer", "description": "a"}
    }


def test_a_typescript_tool_brings_its_schema(client) -> None:
    made = client.tools.create(source_code=TYPESCRIPT, source_type="typescript", json_schema=ADD)
    assert (made.name, made.source_type, made.json_schema) == ("add", "typescript", ADD)
    with pytest.raises(UnprocessableEntityError, match="json_schema: a TypeScript tool needs one"):
        client.tools.create(source_code=TYPESCRIPT, source_type="typescript")
    with pytest.raises(BadRequestError, match="it has no function add"):
        client.tools.create(source_code="let x = 1", source_type="typescript", json_schema=ADD)
    with pytest.raises(BadRequestError, match="it has no function add"):
        client.tools.update(made.id, source_code="function other() {}")
    changed = client.tools.update(made.id, source_code="const add = (a, b) => a + b + 1")
    assert changed.json_schema == ADD


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("return_char_limit", 0, "return_char_limit: Input should be greater than or equal to 1"),
        ("return_char_limit", 1_000_001, "less than or equal to 1000000"),
        (
            "pip_requirements",
            [{"name": "../evil"}],
            "'../evil' is no name of a pip package",
        ),
        ("pip_requirements", [{"name": "a", "version": "@ http://x"}], "is no version; write `1.2.3`"),
        ("npm_requirements", [{"name": "A b"}], "is no name of a npm package"),
        ("npm_requirements", [{"name": "a", "version": "file:../x"}], "is no version"),
        ("source_type", "cobol", "source_type: 'cobol' is not known"),
        ("name", "weather", "name: Extra inputs are not permitted"),
        ("json_schema", {"name": "weather", "big": 10**30}, "json_schema: this cannot be stored"),
    ],
)
def test_a_field_that_can_never_be_is_refused(http, field: str, value: object, why: str) -> None:
    answer = http.post("/v1/tools/", json={"source_code": SOURCE, field: value})
    assert (answer.status_code, why in answer.json()["detail"]) == (422, True), answer.text


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"source_code": "def f(a): 'Do.'"}, "source_code, line 1, f(a): it has no type hint"),
        ({"source_code": "no python"}, "source_code, line 1: this is not Python"),
        ({"source_code": SOURCE, "json_schema": {"name": "other"}}, "it has no function other"),
        ({"source_code": SOURCE, "json_schema": {}}, "json_schema: it needs a `name`"),
        ({"source_code": SOURCE, "json_schema": {"name": "a b"}}, "json_schema: it needs a `name`"),
        (
            {"source_code": SOURCE, "json_schema": {"name": "weather", "parameters": {"type": "text"}}},
            "json_schema.parameters: 'text' is no type",
        ),
        ({"source_code": SOURCE, "args_json_schema": {"type": "array"}}, "args_json_schema: it must be"),
        (
            {"source_code": "def send_message(message: str): 'Say.'"},
            "name: send_message is the name of part of the server",
        ),
    ],
)
def test_what_is_no_tool_is_refused_with_the_place_and_the_fix(http, body: dict, why: str) -> None:
    answer = http.post("/v1/tools/", json=body)
    assert (answer.status_code, why in answer.json()["detail"]) == (400, True), answer.text


def test_only_what_a_patch_names_is_changed(client) -> None:
    made = client.tools.create(
        source_code=SOURCE, tags=["sky"], enable_parallel_execution=True, default_requires_approval=True
    )
    changed = client.tools.update(made.id, return_char_limit=7, metadata={"a": 1})
    assert changed.metadata == {"a": 1}
    noted = {"metadata", "metadata_"}
    assert changed.model_dump(exclude=noted) == {**made.model_dump(exclude=noted), "return_char_limit": 7}
    cleared = client.tools.update(
        made.id, tags=None, default_requires_approval=None, return_char_limit=None, metadata=None
    )
    assert (cleared.tags, cleared.default_requires_approval, cleared.return_char_limit) == ([], None, 50_000)
    assert cleared.enable_parallel_execution is True


def test_a_new_source_has_its_schema_read_anew(client) -> None:
    made = client.tools.create(source_code=SOURCE)
    new = 'def weather(day: int) -> str:\n    """Later.\n\n    Args:\n        day: When.\n    """\n'
    changed = client.tools.update(made.id, source_code=new)
    assert (changed.description, changed.id) == ("Later.", made.id)
    assert changed.json_schema["parameters"]["properties"] == {
        "day": {"type": "integer", "description": "When."}
    }
    with pytest.raises(BadRequestError, match=r"it has no function weather .* \(it has other\)"):
        client.tools.update(made.id, source_code="def other(): 'Do.'")
    with pytest.raises(BadRequestError, match=r"weather\(day\): it has no type hint"):
        client.tools.update(made.id, source_code="def weather(day): 'Do.'")
    with pytest.raises(UnprocessableEntityError, match="a tool cannot be without it"):
        client.tools.update(made.id, source_code=None)
    assert client.tools.retrieve(made.id) == changed


def test_words_and_schemas_that_its_maker_gave_outlive_a_new_source(client) -> None:
    described = client.tools.create(source_code=SOURCE, description="Mine.")
    changed = client.tools.update(described.id, source_code=SOURCE.replace("How the", "What the"))
    assert (changed.description, changed.json_schema["description"]) == ("Mine.", "Mine.")
    again = client.tools.update(described.id, description=None)
    assert (again.description, again.json_schema["description"]) == ("What the weather is.",) * 2

    bare = client.tools.create(source_code="def add(a, b): return a + b", json_schema=ADD)
    changed = client.tools.update(bare.id, source_code="def add(a, b): return b + a")
    assert changed.json_schema == ADD
    shown = client.tools.update(bare.id, description="Sum up.")
    assert (shown.description, shown.json_schema) == ("Sum up.", {**ADD, "description": "Sum up."})


def test_a_schema_renames_a_tool_and_null_has_it_read(client) -> None:
    made = client.tools.create(source_code=SOURCE)
    given = {"name": "helper", "description": "Help.", "parameters": {"type": "object", "properties": {}}}
    renamed = client.tools.update(made.id, json_schema=given)
    assert (renamed.name, renamed.description, renamed.json_schema) == ("helper", "Help.", given)
    read = client.tools.update(made.id, json_schema=None, description=None)
    assert read.json_schema["parameters"]["required"] == ["text"]
    other = client.tools.create(source_code=SOURCE)
    with pytest.raises(BadRequestError, match="name: helper is the name of a tool of type custom"):
        client.tools.update(other.id, json_schema=given)
    arguments = {"type": "object", "properties": {"text": {"type": "string", "description": "What."}}}
    shaped = client.tools.update(made.id, args_json_schema=arguments)
    assert shaped.json_schema["parameters"] == arguments
    with pytest.raises(BadRequestError, match="helper: args_json_schema lacks text"):
        client.tools.update(made.id, args_json_schema={"properties": {}})


def test_a_built_in_tool_is_changed_in_its_limits_only(client) -> None:
    memory = client.tools.list(name="memory").items[0]
    changed = client.tools.update(memory.id, default_requires_approval=True, return_char_limit=99)
    assert (changed.default_requires_approval, changed.return_char_limit) == (True, 99)
    with pytest.raises(BadRequestError, match="memory is part of the server: its source_code, tags cannot"):
        client.tools.update(memory.id, source_code="def memory(): 'Do.'", tags=[])
    with pytest.raises(BadRequestError, match=r"memory is part of the server\. Detach it"):
        client.tools.delete(memory.id)


def test_a_schema_is_shown_without_storing_anything(client, http) -> None:
    before = http.get("/v1/tools/count").json()
    answer = http.post("/v1/tools/generate-schema", json={"code": SOURCE})
    assert answer.json() == {
        "name": "weather",
        "description": "How the weather is.",
        "parameters": PARAMETERS,
    }
    assert http.post("/v1/tools/generate-schema", json={"code": "x"}).status_code == 400
    refused = http.post("/v1/tools/generate-schema", json={"code": TYPESCRIPT, "source_type": "typescript"})
    assert refused.status_code == 422
    assert http.get("/v1/tools/count").json() == before


@pytest.mark.parametrize(
    "code", ["\x00", "\ud800", "def f(a: str = '\\ud800'): '\\ud800 \\0'", "(" * 9_000, "x" * 200_000]
)
def test_odd_texts_are_refused_or_stored_but_never_an_error_of_ours(http, code: str) -> None:
    for path, field in (("/v1/tools/generate-schema", "code"), ("/v1/tools/", "source_code")):
        body = json.dumps({field: code})
        answer = http.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400, 422), answer.text


def test_two_at_once_make_one_tool(client) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: client.tools.upsert(source_code=SOURCE).id, range(8)))
    assert len(set(made)) == 1
