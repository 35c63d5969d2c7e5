"""What a tool may require."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.sandbox.environments.lines import BadRequirement, read_lines


def test_packages_and_versions_have_one_spelling_and_order() -> None:
    lines = [
        "Pandas >= 2.2, <3",
        "requests[socks]==2.32",
        "six",
        " six ",
        "",
        "typing_extensions; python_version<'3.12'",
    ]
    assert read_lines("pip", lines) == (
        "pandas<3,>=2.2",
        "requests[socks]==2.32",
        "six",
        'typing-extensions; python_version < "3.12"',
    )
    assert read_lines("npm", ["@types/node@^20", "left-pad@1.3.0", "lodash", "a@>=1 <2 || 3.x"]) == (
        "@types/node@^20",
        "a@>=1 <2 || 3.x",
        "left-pad@1.3.0",
        "lodash",
    )


@pytest.mark.parametrize(
    "line",
    [
        "-r /etc/passwd",
        "--index-url https://evil.example",
        "six --hash=sha256:0",
        "six @ https://evil.example/six.whl",
        "six @ file:///etc/passwd",
        "git+https://evil.example/six",
        "./six",
        "/tmp/six.whl",
        "six==1.0\n-r /etc/passwd",
        "six==1.0\x00",
        "six" * 100,
        "$HOME",
    ],
)
def test_what_could_point_elsewhere_is_no_requirement_of_pip(line: str) -> None:
    with pytest.raises(BadRequirement):
        read_lines("pip", [line])


@pytest.mark.parametrize(
    "line",
    [
        "--registry=https://evil.example",
        "-g",
        "left-pad@https://evil.example/a.tgz",
        "left-pad@git+ssh://evil.example/a",
        "left-pad@file:../a",
        "left-pad@npm:other",
        "user/repository",
        "../left-pad",
        "/tmp/left-pad",
        "left-pad.tgz@",
        "left-pad --save",
        "left-pad\n--global",
        "https://evil.example/a.tgz",
    ],
)
def test_what_could_point_elsewhere_is_no_requirement_of_npm(line: str) -> None:
    with pytest.raises(BadRequirement):
        read_lines("npm", [line])


def test_there_is_an_end_to_what_a_tool_may_require() -> None:
    with pytest.raises(BadRequirement, match="at most 50"):
        read_lines("pip", [f"package{number}" for number in range(51)])


@given(st.text(max_size=30))
def test_any_line_is_read_or_refused_and_never_becomes_an_option(line: str) -> None:
    for kind in ("pip", "npm"):
        try:
            read = read_lines(kind, [line])
        except BadRequirement:
            continue
        assert all(one[0] not in "-./" and "\n" not in one and "://" not in one for one in read)
        assert read_lines(kind, read) == read
