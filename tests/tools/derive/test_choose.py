"""Which function of a source is the tool."""

import pytest

from perdure.tools.derive import NoSchema, schema_from_source

DOC = '"""Do."""'


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (f"def one(): {DOC}", "one"),
        (f"async def one(): {DOC}", "one"),
        (f"def one():\n    {DOC}\n    def inner(): {DOC}\n    return inner()", "one"),
        (f"def first(): {DOC}\ndef last(): {DOC}", "last"),
        (f"def helper(): {DOC}\ndef main():\n    {DOC}\n    return helper()", "main"),
        (f"def main():\n    {DOC}\n    return helper()\ndef helper(): {DOC}", "main"),
        (f"def main(): {DOC}\ndef _helper(): {DOC}", "main"),
        (f"def _only(): {DOC}", "_only"),
        (f"def main():\n    {DOC}\n    return main()\ndef other():\n    {DOC}\n    return main()", "other"),
        (f"def a():\n    {DOC}\n    b()\ndef b():\n    {DOC}\n    a()", "b"),
        (f"def main(): {DOC}\nprint(main())", "main"),
        (f"def helper(): {DOC}\ndef main(): {DOC}; helper()\nif __name__ == '__main__':\n    main()", "main"),
        (f"try:\n    import numpy\nexcept ImportError:\n    pass\ndef main(): {DOC}", "main"),
        (f"def helper(): {DOC}\nclass Uses:\n    made = helper()\ndef main(): {DOC}", "main"),
        (f"@wraps(1)\ndef main(): {DOC}", "main"),
    ],
)
def test_helpers_are_not_the_tool(source: str, name: str) -> None:
    assert schema_from_source(source)["name"] == name


def test_a_name_says_which_function_it_is() -> None:
    source = f"def first(): {DOC}\ndef last(): {DOC}"
    assert schema_from_source(source, name="first")["name"] == "first"
    with pytest.raises(NoSchema, match=r"has no function third at its top level \(it has first, last\)"):
        schema_from_source(source, name="third")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "no function at its top level. Write `def name"),
        ("x = 1", "no function at its top level"),
        (
            "class Tool(BaseTool):\n    def run(self): ...",
            "line 1, Tool: a tool is a function. Send the method `run`",
        ),
        ("def f(:", r"source_code, line 1: this is not Python: "),
        (
            "def f(): pass",
            "line 1, f: it has no docstring. Say in one what the tool does",
        ),
        (f"def größe(): {DOC}", "a tool's name has at most 64 of the characters"),
        (f"def {'f' * 65}(): {DOC}", "a tool's name has at most 64"),
        (f"def f(ä: int): {DOC}", "a parameter's name"),
        (f"def f(\n    a,\n): {DOC}", r"line 2, f\(a\): it has no type hint. Write for example `a: str`"),
        (f"def f(*a: int): {DOC}", r"f\(a\): a tool cannot take \*args or \*\*kwargs"),
        (f"def f(**a: int): {DOC}", r"f\(a\): a tool cannot take \*args or \*\*kwargs"),
        (f"def f(a: int, /): {DOC}", "Remove the `/`"),
    ],
)
def test_a_source_without_a_tool_says_what_to_write(source: str, why: str) -> None:
    with pytest.raises(NoSchema, match=why):
        schema_from_source(source)


def test_what_the_server_injects_is_not_told() -> None:
    source = f"def f(self, agent_state: 'AgentState', a: int, *, agent_id: str, b: str = 'x', c: bool): {DOC}"
    made = schema_from_source(source)["parameters"]
    assert list(made["properties"]) == ["a", "b", "c"]
    assert made["required"] == ["a", "c"]
    assert made["properties"]["a"]["description"] == "a"


def test_a_description_stands_in_place_of_the_docstring() -> None:
    assert schema_from_source("def f(): pass", description="Does.")["description"] == "Does."
    assert schema_from_source(f"def f(): {DOC}", description=" ")["description"] == "Do."
