"""schema_of: what a model is told of a function."""

import enum
from dataclasses import dataclass
from typing import Any, Literal, Optional, TypedDict

import pytest
from pydantic import BaseModel, Field

from perdure.tools.base import tool
from perdure.tools.schema import schema_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class FileRequest(TypedDict):
    """A file to open.

    Attributes:
        file_name: Which file.
        offset: First line.
    """

    file_name: str
    offset: int | None


@dataclass
class Point:
    """A point.

    Attributes:
        x: Right.
        y: Up.
    """

    x: int
    y: int = 0


class Person(BaseModel):
    name: str = Field(description="The name.")
    age: int | None = Field(default=None, description="The age.")


async def sample(
    ctx: Any,
    text: str,
    count: int = 3,
    ratio: float = 0.5,
    flag: bool = False,
    words: list[str] | None = None,
    bare: list = [],  # noqa: B006
    nested: list[list[int]] = [],  # noqa: B006
    table: dict[str, int] = {},  # noqa: B006
    mode: Literal["any", "all"] = "any",
    colour: Colour = Colour.RED,
    old: Optional[str] = None,  # noqa: UP045
    either: int | str = 0,
    files: list[FileRequest] = [],  # noqa: B006
    point: Point | None = None,
    person: Person | None = None,
    anything: Any = None,
) -> str:
    """Do a thing.

    It takes long
    to explain.

    Args:
        text: What to say: anything.
        count (int): How often,
            at most.
        ratio: A ratio.
        flag: A flag.
        words: Words.
        bare: Bare.
        nested: Nested.
        table: Table.
        mode: Mode.
        colour: Colour.
        old: Old.
        either: Either.
        files: Files.
        point: Point.
        person: Person.
        anything: Anything.

    Returns:
        Nothing worth telling.

    Examples:
        sample("x")
    """
    return ""


def test_description_keeps_examples_and_drops_the_other_sections() -> None:
    description = schema_of(sample)["description"]
    assert description.startswith("Do a thing.\n\nIt takes long\nto explain.")
    assert 'sample("x")' in description
    assert "Returns" not in description
    assert "Nothing worth" not in description


def test_only_parameters_without_default_are_required_and_the_context_is_hidden() -> None:
    parameters = schema_of(sample)["parameters"]
    assert parameters["required"] == ["text"]
    assert "ctx" not in parameters["properties"]


def test_every_hint_has_its_json_type() -> None:
    properties = schema_of(sample)["parameters"]["properties"]
    assert properties["text"] == {"type": "string", "description": "What to say: anything."}
    assert properties["count"] == {"type": "integer", "description": "How often, at most."}
    assert properties["ratio"]["type"] == "number"
    assert properties["flag"]["type"] == "boolean"
    assert properties["words"]["items"] == {"type": "string"}
    assert properties["bare"]["items"] == {"type": "string"}
    assert properties["nested"]["items"] == {"type": "array", "items": {"type": "integer"}}
    assert properties["table"]["additionalProperties"] == {"type": "integer"}
    assert properties["mode"] == {"type": "string", "enum": ["any", "all"], "description": "Mode."}
    assert properties["colour"]["enum"] == ["red", "blue"]
    assert properties["old"]["type"] == "string"
    assert properties["either"]["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert properties["files"]["items"] == {
        "type": "object",
        "properties": {
            "file_name": {"type": "string", "description": "Which file."},
            "offset": {"type": "integer", "description": "First line."},
        },
        "required": ["file_name"],
    }
    assert properties["anything"] == {"description": "Anything."}
    assert properties["point"]["required"] == ["x"]
    assert properties["person"]["properties"]["name"] == {"type": "string", "description": "The name."}
    assert properties["person"]["required"] == ["name"]


def test_a_parameter_without_hint_text_or_type_we_know_is_refused() -> None:
    async def unhinted(ctx, text):
        """Say.

        Args:
            text: Text.
        """

    async def untold(ctx, text: str):
        """Say."""

    async def odd(ctx, text: complex):
        """Say.

        Args:
            text: Text.
        """

    async def silent(ctx):
        pass

    for function in (unhinted, untold, odd, silent):
        with pytest.raises(TypeError):
            schema_of(function)


def test_tool_makes_a_builtin_of_a_function() -> None:
    made = tool("letta_core", parallel=True)(sample)
    assert (made.name, made.kind, made.parallel) == ("sample", "letta_core", True)
    assert made.description.startswith("Do a thing.")
    assert made.source.startswith("async def sample(")
