"""What becomes of rules when a tool is renamed or gone."""

from typing import Any

from perdure.tools.rules import ToolRules
from perdure.tools.rules.names import renamed, without_tool

RULES: list[dict[str, Any]] = [
    {"type": "run_first", "tool_name": "a", "args": None},
    {"type": "exit_loop", "tool_name": "b"},
    {
        "type": "constrain_child_tools",
        "tool_name": "b",
        "children": ["a", "c"],
        "child_arg_nodes": [{"name": "a", "args": {"x": 1}}],
    },
    {"type": "parent_last_tool", "tool_name": "c", "children": ["a"]},
    {"type": "conditional", "tool_name": "c", "child_output_mapping": {"1": "a"}, "default_child": "b"},
]


def test_rules_follow_a_tool_to_its_new_name() -> None:
    assert renamed(RULES, "a", "z") == [
        {"type": "run_first", "tool_name": "z", "args": None},
        {"type": "exit_loop", "tool_name": "b"},
        {
            "type": "constrain_child_tools",
            "tool_name": "b",
            "children": ["z", "c"],
            "child_arg_nodes": [{"name": "z", "args": {"x": 1}}],
        },
        {"type": "parent_last_tool", "tool_name": "c", "children": ["z"]},
        {"type": "conditional", "tool_name": "c", "child_output_mapping": {"1": "z"}, "default_child": "b"},
    ]
    assert renamed(RULES, "other", "z") == RULES


def test_nothing_leads_to_a_tool_that_is_gone() -> None:
    left = without_tool(RULES, "a")
    assert left == [
        {"type": "exit_loop", "tool_name": "b"},
        {"type": "constrain_child_tools", "tool_name": "b", "children": ["c"], "child_arg_nodes": []},
        {"type": "conditional", "tool_name": "c", "child_output_mapping": {}, "default_child": "b"},
    ]
    assert without_tool(left, "c") == [{"type": "exit_loop", "tool_name": "b"}]
    assert without_tool(RULES, "other") == RULES
    for rules in (left, renamed(RULES, "a", "z")):
        ToolRules.of(rules)
