"""Whatever is sent as a source, it yields a schema or a clear refusal; what it yields is what it takes."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.tools.arguments import check
from perdure.tools.derive import NoSchema, schema_from_source

PIECES = st.sampled_from(
    [
        *("def f(", "a: int", "a: 'list[", "=", "1", "-", "None", "):\n", ") -> str:\n", "async "),
        *("lambda ", "\n", '    """Do."""\n', "    return 1\n", "class A(", "BaseModel", "Enum", "TypedDict"),
        *("    x: A\n", "A", "|", "Literal[", "Optional[", "dict[", "]", "(", ")", ",", "'", '"""', "*", "/"),
        *("\\ud800", "\x00", "\ud800", "Args:\n", "    a: b\n", ":param a: b\n", "Parameters\n-----\n", "@"),
        *("if 1:\n", "  ", "\t", "A = A\n", "é", "agent_state", "self, ", "Annotated[int, Field(ge="),
        *("from typing import ", "import x as ", "# type: ignore"),
    ]
)
SOURCES = st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join))
HUGE = 40_000
DEEP: Mapping[str, str] = {
    "parentheses": f"x = {'(' * HUGE}{')' * HUGE}",
    "signs": f"x = {'-' * HUGE}1",
    "attributes": f"x = a{'.b' * HUGE}",
    "sums": f"x = 1{'+1' * HUGE}",
    "choices": "if 1: pass\n" + "elif 1: pass\n" * 7_000,
    "union": f"def f(a: int{'|int' * 20_000}): 'd'",
    "hint in quotes": f"def f(a: '{'-' * HUGE}1'): 'd'",
    "bases": "".join(f"class A{at}(A{at - 1}, A{at - 1}): x: int\n" for at in range(3_000))
    + "def f(a: A2999): 'd'",
    "bases in a ring": "class A(B): x: int\nclass B(A): x: int\ndef f(a: A): 'd'",
    "members": "class E(Enum):\n"
    + "".join(f"  A{at} = auto()\n" for at in range(9_000))
    + "def f(a: E): 'd'",
    "parameters": f"def f({', '.join(f'a{at}: int' for at in range(9_000))}): 'd'",
    "names together": f"def f(a: int):\n '''d\n\nParameters\n---\na{', a' * 9_000}\n{'   t' * 20_000}'''",
    "blanks in a field": f"def f(a: int):\n ''':param {' ' * HUGE}'''",
    "blanks in an entry": f"def f(a: int):\n '''Args:\n    a{' ' * HUGE}'''",
    "blank lines": "def f(a: int):\n '''a" + "\n " * HUGE + "b'''",
    "too long": "#" * 300_000,
    "digits": f"def f(a: int = {'9' * 5_000}): 'd'",
}


def read(source: str) -> dict[str, Any] | None:
    """The schema, as something that JSON and a database can hold."""
    try:
        made = schema_from_source(source)
    except NoSchema as refused:
        orjson.dumps(refused.body())
        return None
    assert "\\u0000" not in orjson.dumps(made).decode()
    return made


@settings(max_examples=400, deadline=None)
@given(SOURCES)
def test_any_text_is_a_tool_or_refused(source: str) -> None:
    read(source)


@pytest.mark.parametrize("name", DEEP)
def test_what_is_deep_or_huge_is_read_or_refused_in_time(name: str) -> None:
    read(DEEP[name])


def test_nothing_is_executed(tmp_path) -> None:
    path = tmp_path / "written"
    write = f"open({str(path)!r}, 'w').write('x')"
    made = read(
        f"{write}\ndef deco(f): {write}\n@deco\ndef tool(a: int = {write}, b: 'list[int]' = []) -> {write}:\n"
        f"    '''Do.'''\n    {write}\n"
    )
    assert made is not None
    assert not path.exists()


WORDS = st.text(max_size=8)
WHOLE = st.integers(-(2**53), 2**53)
RATIO = st.floats(allow_nan=False, allow_infinity=False)
LEAVES: list[tuple[str, st.SearchStrategy[Any]]] = [
    ("str", WORDS),
    ("int", WHOLE),
    ("float", RATIO),
    ("bool", st.booleans()),
    ('Literal["a", "b"]', st.sampled_from(["a", "b"])),
    ("Literal[1, 2]", st.sampled_from([1, 2])),
    ("Colour", st.sampled_from(["red", "blue"])),
    ("date", st.dates().map(str)),
    ("int | str", WHOLE | WORDS),
    ("Point", st.fixed_dictionaries({"x": RATIO}, optional={"label": WORDS, "near": st.lists(WHOLE)})),
]
TYPES = (
    "class Colour(Enum):\n    RED = 'red'\n    BLUE = 'blue'\n"
    "class Point(BaseModel):\n    x: float\n    label: str = ''\n    near: list[int] = []\n"
)


def containers(inner: st.SearchStrategy[tuple[str, Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.one_of(
        inner.map(lambda it: (f"list[{it[0]}]", st.lists(it[1], max_size=3))),
        inner.map(lambda it: (f"dict[str, {it[0]}]", st.dictionaries(WORDS, it[1], max_size=3))),
        inner.map(lambda it: (f"list[{it[0]} | None]", st.lists(it[1] | st.none(), max_size=3))),
    )


HINTS = st.recursive(st.sampled_from(LEAVES), containers, max_leaves=4)
DEFAULTS = st.sampled_from(["", "= None", "optional"])


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any], list[str]]:
    """A function, arguments it takes, and the names of those it needs."""
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True))
    parts: list[str] = []
    given_: dict[str, Any] = {}
    for name in names:
        hint, values = draw(HINTS)
        kind = draw(DEFAULTS)
        shown = {"": f"{name}: {hint}", "= None": f"{name}: {hint} | None = None"}
        parts.append(shown.get(kind, f"{name}: Optional[{hint}]"))
        if not kind or draw(st.booleans()):
            given_[name] = draw(values)
    needed = [
        name for name, part in zip(names, parts, strict=True) if "Optional" not in part and "=" not in part
    ]
    stars = "*, " if parts else ""
    source = f"{TYPES}{draw(st.sampled_from(['', 'async ']))}def tool({stars}{', '.join(parts)}): 'Do.'"
    return source, given_, needed


@settings(max_examples=200, deadline=None)
@given(calls())
def test_a_tools_schema_takes_exactly_its_own_arguments(call: tuple[str, dict[str, Any], list[str]]) -> None:
    source, arguments, needed = call
    parameters = schema_from_source(source)["parameters"]
    assert check(parameters, arguments) == (arguments, [])
    assert parameters["required"] == needed
    for name in needed:
        _, faults = check(parameters, {key: value for key, value in arguments.items() if key != name})
        assert faults == [f"missing parameter {name!r}"]
    _, faults = check(parameters, {**arguments, "unknown": 1})
    assert len(faults) == 1
