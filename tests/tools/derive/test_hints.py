"""Hints as users write them, and what a model is told of them."""

from typing import Any

import pytest

from perdure.tools.derive import NoSchema, schema_from_source

TYPES = '''
import datetime
import datetime as dt
import typing as t
from dataclasses import dataclass, field
from datetime import date, datetime as When
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum, auto
from pathlib import Path
from typing import *
from typing import Optional as Opt
from uuid import UUID
from pydantic import BaseModel, Field


class Colour(str, Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = auto()
    HIGH = auto()
    TOP = 10


class Place(StrEnum):
    NORTH_EAST = auto()


class Point(BaseModel):
    """A point.

    Attributes:
        x: To the right.
    """

    model_config = {"extra": "forbid"}
    kind: ClassVar[str] = "point"
    _private: int = 0
    x: float
    y: float = Field(0.5, ge=0, le=1, description="Up.")


class Named(Point):
    name: str = Field(min_length=1, max_length=9)
    label: str | None
    """What it is called."""
    note: str | None = None
    size: int | None = 3
    origin: str = Field(alias="from")


@dataclass
class Window:
    width: int
    points: list[Point] = field(default_factory=list)
    hidden: int = field(init=False)


class Options(TypedDict, total=False):
    deep: Required[bool]
    tags: list[str]


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Pair(NamedTuple):
    left: int
    right: str = "r"


Vector = list[float]
Maybe: TypeAlias = Optional[int]
UserId = NewType("UserId", int)
'''
POINT = {
    "type": "object",
    "properties": {
        "x": {"type": "number", "description": "To the right."},
        "y": {"type": "number", "minimum": 0, "maximum": 1, "description": "Up.", "default": 0.5},
    },
    "required": ["x"],
    "description": "A point.",
}
TEXT, WHOLE, NUMBER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "null"}
TABLE: list[tuple[str, dict[str, Any]]] = [
    ("str", TEXT),
    ("int", WHOLE),
    ("float", NUMBER),
    ("bool", {"type": "boolean"}),
    ("Any", {}),
    ("object", {}),
    ("list", {"type": "array", "items": TEXT}),
    ("List", {"type": "array", "items": TEXT}),
    ("list[int]", {"type": "array", "items": WHOLE}),
    ("t.List[List[float]]", {"type": "array", "items": {"type": "array", "items": NUMBER}}),
    ("Sequence[str]", {"type": "array", "items": TEXT}),
    ("set[str]", {"type": "array", "items": TEXT}),
    ("dict", {"type": "object"}),
    ("dict[str, Any]", {"type": "object"}),
    ("dict[str, int]", {"type": "object", "additionalProperties": WHOLE}),
    ("Dict[str, List[int]]", {"type": "object", "additionalProperties": {"type": "array", "items": WHOLE}}),
    ("tuple[int, ...]", {"type": "array", "items": WHOLE}),
    ("tuple[int, int]", {"type": "array", "items": WHOLE, "minItems": 2, "maxItems": 2}),
    ("Tuple[int, str]", {"type": "array", "items": {"anyOf": [WHOLE, TEXT]}, "minItems": 2, "maxItems": 2}),
    ("int | str", {"anyOf": [WHOLE, TEXT]}),
    ("Union[int, str, int]", {"anyOf": [WHOLE, TEXT]}),
    ("int | Any", {}),
    ("list[int | None]", {"type": "array", "items": {"anyOf": [WHOLE, NULL]}}),
    ('Literal["a", "b"]', {"type": "string", "enum": ["a", "b"]}),
    ("Literal[1, -2, 1]", {"type": "integer", "enum": [1, -2]}),
    ('Literal["a", 1, True]', {"enum": ["a", 1, True]}),
    ("Literal[Colour.RED]", {"type": "string", "enum": ["red"]}),
    ("Colour", {"type": "string", "enum": ["red", "blue"]}),
    ("Level", {"type": "integer", "enum": [1, 2, 10]}),
    ("Place", {"type": "string", "enum": ["north_east"]}),
    ("datetime.datetime", {"type": "string", "format": "date-time"}),
    ("When", {"type": "string", "format": "date-time"}),
    ("dt.date", {"type": "string", "format": "date"}),
    ("date", {"type": "string", "format": "date"}),
    ("UUID", {"type": "string", "format": "uuid"}),
    ("Decimal", TEXT),
    ("Path", TEXT),
    ("Vector", {"type": "array", "items": NUMBER}),
    ("UserId", WHOLE),
    ('"list[int]"', {"type": "array", "items": WHOLE}),
    ("list['Point']", {"type": "array", "items": POINT}),
    ("Point", POINT),
    ("Annotated[int, Field(ge=1, lt=9)]", {"type": "integer", "minimum": 1, "exclusiveMaximum": 9}),
    (
        "Annotated[list[str], Field(min_length=1)]",
        {"type": "array", "items": TEXT, "minItems": 1},
    ),
    (
        "Named",
        {
            "type": "object",
            "properties": {
                **POINT["properties"],
                "name": {"type": "string", "minLength": 1, "maxLength": 9},
                "label": {"anyOf": [TEXT, NULL], "description": "What it is called."},
                "note": TEXT,
                "size": {"anyOf": [WHOLE, NULL], "default": 3},
                "from": TEXT,
            },
            "required": ["x", "name", "label", "from"],
        },
    ),
    (
        "Window",
        {
            "type": "object",
            "properties": {"width": WHOLE, "points": {"type": "array", "items": POINT}},
            "required": ["width"],
        },
    ),
    (
        "Options",
        {
            "type": "object",
            "properties": {"deep": {"type": "boolean"}, "tags": {"type": "array", "items": TEXT}},
            "required": ["deep"],
        },
    ),
    ("Movie", {"type": "object", "properties": {"title": TEXT, "year": WHOLE}, "required": ["title"]}),
    (
        "Pair",
        {
            "type": "object",
            "properties": {"left": WHOLE, "right": {"type": "string", "default": "r"}},
            "required": ["left"],
        },
    ),
]


def parameter(hint: str, default: str = "", types: str = TYPES) -> tuple[dict[str, Any], bool]:
    """The schema of one parameter, and whether it is required."""
    doc = '"""Do it.\n\n    Args:\n        it: This.\n    """'
    source = f"{types}\ndef tool(it: {hint}{default}) -> str:\n    {doc}\n"
    made = schema_from_source(source)["parameters"]
    assert made["properties"]["it"]["description"] == "This."
    return made["properties"]["it"], made["required"] == ["it"]


@pytest.mark.parametrize(("hint", "schema"), TABLE, ids=[hint for hint, _ in TABLE])
def test_a_hint_is_told_as_a_schema(hint: str, schema: dict[str, Any]) -> None:
    assert parameter(hint) == ({**schema, "description": "This."}, True)


@pytest.mark.parametrize(
    "hint",
    ["int | None", "None | int", "Optional[int]", "Opt[int]", "Union[int, None]", "Maybe", "'int | None'"],
)
def test_an_optional_parameter_is_that_type_and_not_required(hint: str) -> None:
    told = {"type": "integer", "description": "This."}
    assert parameter(hint) == (told, False)
    assert parameter(hint, " = None") == (told, False)
    nullable = {"anyOf": [WHOLE, NULL], "description": "This.", "default": 3}
    assert parameter(hint, " = 3") == (nullable, False)


@pytest.mark.parametrize(
    ("hint", "default", "value"),
    [
        ("str", '"x"', "x"),
        ("int", "-3", -3),
        ("list[int]", "[1, 2]", [1, 2]),
        ("tuple[int, ...]", "(1, 2)", [1, 2]),
        ("dict[str, int]", '{"a": 1}', {"a": 1}),
        ("Colour", "Colour.BLUE", "blue"),
        ("str", "Colour.BLUE.value", "blue"),
        ("bool", "False", False),
    ],
)
def test_a_literal_default_is_shown(hint: str, default: str, value: object) -> None:
    made, required = parameter(hint, f" = {default}")
    assert (made["default"], required) == (value, False)


@pytest.mark.parametrize(
    "default",
    ["os.getcwd()", "1e999", "{1: 2}", "10**30", "9" * 30, "print('run')", "Colour.GREEN", "1j", "b''"],
)
def test_what_is_no_literal_or_no_json_is_left_out(default: str) -> None:
    made, required = parameter("str", f" = {default}")
    assert ("default" in made, required) == (False, False)


def test_annotated_tells_of_a_parameter_without_a_docstring() -> None:
    made = schema_from_source(
        'def f(a: Annotated[int, "The first."],\n'
        '      b: Annotated[str | None, Field(description="The second.")] = None):\n'
        '    """Do."""\n'
    )["parameters"]
    assert made == {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "description": "The first."},
            "b": {"type": "string", "description": "The second."},
        },
        "required": ["a"],
    }


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        ("Nowhere", r"the type `Nowhere` is not known here\..*define the class in the source"),
        ("numpy.ndarray", "the type `numpy.ndarray` is not known"),
        ("Callable[[int], str]", r"the generic type `Callable\[…\]` is not known"),
        ("bytes", "the type `bytes` is not known"),
        ("dict[str]", "a dict has a type for its keys and one for its values"),
        ("list[]", "this is not Python"),
        ("'list['", "the type hint 'list\\[' cannot be read"),
        ("5", "`5` is no type hint"),
        ("[int]", r"`\[int\]` is no type hint"),
        ("Literal[f()]", r"`f\(\)` is no value that a Literal can have"),
        ("Literal[10**30]", "no value that a Literal can have"),
        ("Plain", "the class Plain is no Enum, Pydantic model"),
        ("Tree", r"line \d+, Tree\(children\): the class Tree contains itself"),
        ("Loop", "`Loop` contains itself"),
        ("Odd", "the members of Odd must be literal"),
        ("Empty", "the enum Empty has no members"),
        ("list[" * 30 + "int" + "]" * 30, "too large"),
    ],
)
def test_what_cannot_be_told_names_the_place_and_the_fix(hint: str, why: str) -> None:
    extra = (
        "class Plain:\n    x: int\nclass Tree(BaseModel):\n    children: list['Tree']\nLoop = list['Loop']\n"
        "class Odd(Enum):\n    A = object()\nclass Empty(Enum):\n    pass\n"
    )
    with pytest.raises(NoSchema, match=why) as refused:
        parameter(hint, types=TYPES + extra)
    assert refused.value.status == 400
    assert refused.value.detail.startswith("source_code, line ")


def test_few_lines_cannot_stand_for_a_huge_schema() -> None:
    doubling = "".join(
        f"class A{at}(BaseModel):\n    a: A{at - 1}\n    b: A{at - 1}\n" for at in range(1, 20)
    )
    with pytest.raises(NoSchema, match="too large"):
        parameter("A19", types=f"class A0(BaseModel):\n    x: int\n{doubling}")
