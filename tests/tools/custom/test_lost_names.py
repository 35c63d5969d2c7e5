"""Sources as official clients send them: a function without the imports and the classes of its module."""

import ast

import pytest
from pydantic import BaseModel

from perdure.tools.custom.hints import imports_for

OPTIONAL = '''
def greet(name: "Optional[str]", words: List[str], when: datetime.datetime, day: "date | None") -> Dict:
    """Greet."""
    return {"name": name, "words": words, "year": when.year, "day": str(day)}
'''
LOST = '''
def manage(data: Entry, changes: List[np.int64], options: "Options | None" = None) -> pd.DataFrame:
    """Manage."""
    return [data.item.sku, data["item"]["sku"], changes, options.mode, data.model_dump()]
'''


class Item(BaseModel):
    sku: str


class Entry(BaseModel):
    item: Item


class Options(BaseModel):
    mode: str


class Arguments(BaseModel):
    data: Entry
    changes: list[int]
    options: Options | None = None


@pytest.mark.parametrize(
    ("hint", "lines", "unknown"),
    [
        ("Optional[int]", ["from typing import Optional"], []),
        ("'Optional[List[int]]'", ["from typing import List", "from typing import Optional"], []),
        ("t.Any", ["import typing as t"], []),
        ("datetime.date", ["import datetime as datetime"], []),
        ("datetime | UUID", ["from datetime import datetime", "from uuid import UUID"], []),
        ("np.ndarray | Item", [], ["Item", "np"]),
        ("Known | int | None", [], []),
        ("Annotated[int, Field(ge=1)]", ["from typing import Annotated"], ["Field"]),
        ("Literal['Item', 'no hint (']", ["from typing import Literal"], []),
        ("'no hint ('", [], []),
    ],
)
def test_hints_say_what_is_missing(hint: str, lines: list[str], unknown: list[str]) -> None:
    source = f"class Known: ...\ndef f(a: {hint}): ..."
    assert imports_for(ast.parse(source)) == (lines, unknown)


def test_common_types_need_no_import(make_tool, ask) -> None:
    returned = ask(make_tool(OPTIONAL), {"words": ["a"], "when": "2026-11-23T10:00:00"})
    assert returned.status == "success", returned.tool_return
    assert returned.tool_return == '{"name":null,"words":["a"],"year":2026,"day":"None"}'


def test_what_classes_are_gone_keeps_its_fields(make_tool, ask) -> None:
    tool = make_tool(LOST, args_json_schema=Arguments.model_json_schema())
    arguments = {"data": {"item": {"sku": "x"}}, "changes": [1], "options": {"mode": "m"}}
    returned = ask(tool, arguments)
    assert returned.tool_return == '["x","x",[1],"m",{"item":{"sku":"x"}}]'
