"""`perdure tools test`: a tool file is run in the sandbox, and all of it shown."""

import pytest

WEATHER = '''
import os

def weather(city: str, days: int = 1) -> dict:
    """Tell the weather.

    Args:
        city: Where.
        days: How many.
    """
    print("looking for", city)
    if city == "Atlantis":
        raise LookupError("no such city")
    return {"city": city, "days": days, "key": os.environ.get("KEY")}
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weather.py"
    path.write_text(WEATHER)
    return str(path)


def test_schema_result_output_and_time_are_shown(perdure, file):
    said = perdure(
        "tools", "test", file, "--args", '{"city": "Köln", "days": "2"}', "--env", "KEY=a=b"
    ).stdout
    assert '"description": "Tell the weather."' in said
    assert '"city": "Köln",\n    "days": 2,\n    "key": "a=b"' in said
    assert "Output\n  looking for Köln\n" in said
    assert " ms in the sandbox " in said


def test_a_tool_that_fails_fails_the_command(perdure, file):
    said = perdure("tools", "test", file, "--args", '{"city": "Atlantis"}', fails=True).stdout
    assert "Error\n  Error executing function weather: LookupError: no such city" in said
    assert "Output\n  looking for Atlantis\n" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--args", "{"], "--args is not JSON"),
        (["--args", "[1]"], "--args must be a JSON object"),
        (["--env", "KEY"], "--env 'KEY' is no NAME=value"),
        (["--args", "{}"], "weather was not run: missing parameter 'city'"),
        (["--function", "other"], "it has no function other at its top level"),
    ],
)
def test_mistakes_are_sentences(perdure, file, arguments, told):
    given = ["--args", '{"city": "x"}', *arguments]
    assert told in perdure("tools", "test", file, *given, fails=True).stderr


def test_a_missing_file_is_told(perdure, tmp_path):
    said = perdure("tools", "test", str(tmp_path / "none.py"), fails=True).stderr
    assert "There is no file" in said
