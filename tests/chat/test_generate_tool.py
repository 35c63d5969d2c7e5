"""Tools that a model writes."""

from typing import Any

import httpx
import pytest
from letta_client import Letta

from perdure.content.parts import text_of
from perdure.providers.base import ModelRateLimited
from perdure.testing.scripted import ScriptedModel, fail, say

SOURCE = '''import json


def roll(sides: int = 6) -> int:
    """Roll a die.

    Args:
        sides: How many.
    """
    return 4
'''
GOOD = f'Here:\n```python\n{SOURCE}```\n\n```json\n{{"sides": 20}}\n```\nIt rolls.'


def generate(http: httpx.Client, handle: str, **body: Any) -> httpx.Response:
    asked = {"tool_name": "roll", "prompt": "Roll.", "handle": handle, **body}
    return http.post("/v1/tools/generate-tool", json=asked)


def test_a_written_tool_is_read_shown_and_not_stored(
    http: httpx.Client, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    answer = generate(http, scripted.script(model_name, say(GOOD)), validation_errors=[]).json()
    assert answer["sample_args"] == {"sides": 20}
    assert answer["response"] == GOOD
    tool = answer["tool"]
    assert (tool["name"], tool["source_code"], tool["source_type"]) == ("roll", SOURCE, "python")
    assert client.tools.list(name="roll").items == []
    assert client.tools.create(source_code=tool["source_code"]).json_schema == tool["json_schema"]
    (request,) = scripted.requests[model_name]
    assert "Write the function `roll`." in text_of(request.messages[0].parts)


def test_a_source_and_its_faults_are_told(
    http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    handle = scripted.script(model_name, say(GOOD))
    generate(http, handle, starter_code="def roll(): ...", validation_errors=["no docstring"])
    (request,) = scripted.requests[model_name]
    asked = text_of(request.messages[0].parts)
    assert "```python\ndef roll(): ...\n```" in asked
    assert "- no docstring" in asked


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("I cannot.", "There is no ```python block."),
        ("", "There is no ```python block."),
        (GOOD.replace("sides: int", "sides"), "roll(sides): it has no type hint"),
        (GOOD.replace("def roll", "def other"), "it has no function roll"),
        (GOOD.replace("20", '"many"'), "'sides' must be a whole number"),
        (GOOD.replace('{"sides": 20}', "{"), "block is not JSON"),
        (GOOD.replace('{"sides": 20}', "[]"), "block must be an object"),
    ],
)
def test_what_cannot_be_a_tool_is_asked_for_once_more(
    http: httpx.Client, scripted: ScriptedModel, model_name: str, bad: str, why: str
) -> None:
    handle = scripted.script(model_name, say(bad), say(GOOD), say(bad), say(bad))
    assert generate(http, handle).json()["sample_args"] == {"sides": 20}
    again = scripted.requests[model_name][1].messages
    assert [message.role for message in again] == ["user", "assistant", "user"]
    assert why in text_of(again[-1].parts)
    refused = generate(http, handle)
    assert (refused.status_code, why in refused.json()["detail"]) == (502, True)
    assert refused.headers["x-should-retry"] == "false"


def test_mistakes_and_failures_are_told_apart(
    http: httpx.Client, scripted: ScriptedModel, model_name: str
) -> None:
    handle = scripted.script(model_name, fail(ModelRateLimited("slow down")))
    assert generate(http, handle).status_code == 502
    assert generate(http, "nobody/model").status_code == 404
    assert generate(http, handle, tool_name="not a name").status_code == 422
    assert generate(http, handle, prompt=" ").status_code == 422
