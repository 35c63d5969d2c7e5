"""Programs that a model has written, run in the sandbox."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from letta_client import Letta

from perdure.sandbox.base import Outcome
from perdure.sandbox.node.runtime import find_node
from perdure.testing.scripted import ScriptedModel, call, say
from perdure.tools.code import told


@pytest.fixture
def run(client: Letta, scripted: ScriptedModel, model_name: str) -> Callable[..., Any]:
    """A function that lets an agent run code; what it is told, as JSON, or the text of an error."""
    agent = client.agents.create(model=scripted.script(model_name, say(".")), tools=["run_code"])

    def called(code: str, language: str = "python", **arguments: Any) -> Any:
        scripted.requests[model_name].clear()
        scripted.script(model_name, call("run_code", code=code, language=language, **arguments), say("."))
        answer = client.agents.messages.create(agent.id, input="go")
        (found,) = [m for m in answer.messages if m.message_type == "tool_return_message"]
        return json.loads(found.tool_return) if found.status == "success" else found.tool_return

    return called


def test_the_last_value_and_what_was_printed_are_told(run):
    code = "import statistics, sys\nprint('a')\nprint('b', file=sys.stderr)\nstatistics.median([3, 1, 2])"
    assert run(code) == {"results": [2], "logs": {"stdout": ["a\n"], "stderr": ["b\n"]}}


def test_a_program_without_a_value_has_no_results(run):
    assert run("x = 1") == {"results": [], "logs": {"stdout": [], "stderr": []}}


def test_an_error_is_told_with_its_line(run):
    answer = run("print('before')\nint('x')")
    assert answer["error"].startswith("ValueError: invalid literal")
    assert answer["logs"]["stdout"] == ["before\n"]
    assert "line 2" in answer["logs"]["stderr"][0]


def test_files_go_in_and_come_out(run):
    code = """
import pathlib
rows = pathlib.Path('in/data.csv').read_text().split(',')
pathlib.Path('sum.txt').write_text(str(sum(map(int, rows))))
pathlib.Path('raw.bin').write_bytes(bytes([255, 0]))
pathlib.Path('big.txt').write_text('x' * 20_000)
"""
    answer = run(code, files={"in/data.csv": "1,2,39"})
    assert answer["files"] == [
        {"name": "big.txt", "size": 20_000},
        {"name": "raw.bin", "size": 2},
        {"name": "sum.txt", "size": 2, "content": "42"},
    ]


def test_a_file_that_was_given_and_changed_is_told_again(run):
    assert run("open('a', 'a').write('2')", files={"a": "1", "b": "1"})["files"] == [
        {"name": "a", "size": 2, "content": "12"}
    ]


def test_nothing_is_kept_from_call_to_call(run):
    assert run("x = 1\nopen('left', 'w').write('x')")["results"] == [1]
    assert run("import os\n[os.path.exists('left'), 'x' in globals()]")["results"] == [[False, False]]


def test_there_is_no_network_and_nothing_of_the_servers(run):
    answer = run("import socket\nsocket.create_connection(('1.1.1.1', 53), 2)")
    assert "Error" in answer["error"]
    assert run("import os\n[name for name in os.environ if 'PERDURE' in name or 'KEY' in name]")[
        "results"
    ] == [[]]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"code": "1", "language": "java"}, "must be one of"),
        ({"code": "1", "files": {"../x": ""}}, "not a path below the working folder"),
        ({"code": "1", "files": {"x": ["a"]}}, "'x' must be a string"),
    ],
)
def test_what_cannot_be_run_is_told(run, arguments, why):
    assert why in run(**arguments)


def test_an_organizations_limits_count_here_too(run, http):
    body = {"config": {"sandbox_dir": "", "limits": {"wall_seconds": 0.3}}}
    http.post("/v1/sandbox-config/", json=body).raise_for_status()
    assert run("import time\ntime.sleep(5)")["error"] == "It was stopped after 0.3 seconds."


@pytest.mark.skipif(find_node() is None, reason="no Node.js here")
@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("js", "console.log('a'); const x = [1, 2]; x.map((n) => n * 2)"),
        ("ts", "console.log('a'); const x: number[] = [1, 2]; x.map((n: number) => n * 2)"),
    ],
)
def test_other_languages(run, language, code):
    assert run(code, language) == {"results": [[2, 4]], "logs": {"stdout": ["a\n"], "stderr": []}}


def test_what_is_left_out_is_counted():
    answer = told(Outcome("error", error="It was stopped.", killed="time", stdout="x", dropped=7), {})
    assert answer == {
        "results": [],
        "logs": {"stdout": ["x"], "stderr": []},
        "error": "It was stopped.",
        "dropped_bytes": 7,
    }
