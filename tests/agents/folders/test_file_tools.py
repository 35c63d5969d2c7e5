"""The tools by which agents look into their files."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letta_client import BadRequestError, Letta
from tests.files.uploads import read

from perdure.files.grep import Pattern
from perdure.kit.errors import InvalidArgument

FEES = "# Fees\n\nUnder 20 m: 35.50\nOver 60 m: 410.25\n"
CODE = "".join(f"def handler_{n}():\n    return {n}\n\n\n" for n in range(30))


@pytest.fixture
def call(client: Letta) -> Any:
    folder = client.folders.create(name="handbook")
    read(client, folder.id, "fees.md", FEES)
    read(client, folder.id, "main.py", CODE)
    agent = client.agents.create(model="demo/offline", folder_ids=[folder.id])

    def run(name: str, **args: Any) -> Any:
        try:
            result = client.agents.tools.run(name, agent_id=agent.id, args=args)
            return result.func_return if result.status == "success" else (result.stderr or [""])[0]
        except BadRequestError as error:
            return str(error)

    run.agent_id = agent.id  # type: ignore[attr-defined]
    return run


def test_files_are_opened_at_lines(call, client: Letta) -> None:
    told = call("open_files", file_requests=[{"file_name": "handbook/main.py", "offset": 4, "length": 2}])
    assert told == "Opened handbook/main.py: lines 5 to 6 of 120."
    seen = {file.file_name: file for file in client.agents.files.list(call.agent_id, is_open=True)}
    shown = "[Viewing lines 5 to 6 (out of 120 lines)]\n5: def handler_1():\n6:     return 1"
    assert seen["handbook/main.py"].visible_content == shown
    assert (seen["handbook/main.py"].start_line, seen["handbook/main.py"].end_line) == (5, 6)
    told = call("open_files", file_requests=[{"file_name": "fees.md"}], close_all_others=True)
    assert told.startswith("Opened handbook/fees.md: lines 1 to 4 of 4.\nClosed handbook/main.py")
    client.agents.update(call.agent_id, max_files_open=1)
    assert "Closed handbook/fees.md: at most 1 files" in call(
        "open_files", file_requests=[{"file_name": "main.py"}]
    )
    assert "only 120 lines" in call("open_files", file_requests=[{"file_name": "main.py", "offset": 500}])


def test_an_unknown_file_is_answered_with_those_near(call) -> None:
    told = call("open_files", file_requests=[{"file_name": "handbok/fee.md"}])
    assert "there is no file 'handbok/fee.md'" in told
    assert "Did you mean handbook/fees.md" in told
    assert "offset is 0 or more" in call("open_files", file_requests=[{"file_name": "fees.md", "offset": -1}])
    two = [{"file_name": "fees.md"}, {"file_name": "main.py"}]
    assert "Opened handbook/fees.md" in call("open_files", file_requests=two)


def test_lines_are_found_in_all_files(call) -> None:
    told = call("grep_files", pattern="under")
    assert told.startswith("1 lines match in 1 of 2 files; 1 to 1 are shown.\n- handbook/fees.md: 1")
    assert "=== handbook/fees.md:3 ===\n  2: \n> 3: Under 20 m: 35.50\n  4: Over 60 m: 410.25" in told
    assert "No line matches" in call("grep_files", pattern="uNDER")
    told = call("grep_files", pattern=r"^def \w+\(", include="*.py", context_lines=0)
    assert "30 lines match in 1 of 1 files; 1 to 20 are shown. Go on with offset=20." in told
    told = call("grep_files", pattern=r"^def \w+\(", include="handbook/*", context_lines=0, offset=20)
    assert "21 to 30 are shown." in told
    assert "> 117: def handler_29():" in told
    assert "missing )" in call("grep_files", pattern="(")


def test_passages_are_found_by_what_they_say(call) -> None:
    told = call("semantic_search_files", query="fees for a ship under 20 m", limit=2)
    assert told.startswith("Found ")
    assert "=== handbook/fees.md (passage #1, lines 1 to 4) ===\n# Fees" in told
    assert "Nothing was found" in call("semantic_search_files", query="")


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|aa)+$", "(.*)(.*)(.*)(.*)(.*)x", "(a?){40}a{40}", "([a-z]+)*[0-9]"]
)
def test_no_pattern_hangs(pattern: str) -> None:
    text = ("a" * 30_000 + "!\n") * 10
    began = time.process_time()
    list(Pattern(pattern).lines(text))
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "pattern", ["", "x" * 1001, "(", "(?=a)", "(a)\\1", "a{1001}", "((a{500}){500}){500}"]
)
def test_a_pattern_that_cannot_be_is_told(pattern: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^pattern: "):
        Pattern(pattern)


@given(
    st.lists(st.text("ab é\r", max_size=8), max_size=8),
    st.sampled_from(["a", "é", "^", "$", "^$", "b +", "A"]),
)
def test_the_lines_that_are_found_are_those_that_match(lines: list[str], pattern: str) -> None:
    import re

    flags = 0 if pattern == "A" else re.IGNORECASE
    text = "\n".join(lines) + "\n"
    expected = [n for n, line in enumerate(lines, 1) if re.search(pattern, line, flags)] if lines else []
    found = [match.line for match in Pattern(pattern).lines(text)]
    assert found == (expected if lines else found)
