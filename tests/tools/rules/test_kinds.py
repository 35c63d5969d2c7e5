"""Rules on the wire, against the official client's own types."""

import pytest
from letta_client import types as client
from pydantic import ValidationError

from perdure.tools.rules import parse_rules, rule_text
from perdure.tools.rules.text import words_of

WIRE = [
    (client.InitToolRule, {"type": "run_first", "tool_name": "a", "args": {"x": 1}}),
    (
        client.ChildToolRule,
        {
            "type": "constrain_child_tools",
            "tool_name": "a",
            "children": ["b"],
            "child_arg_nodes": [{"name": "b", "args": {"y": 2}}],
        },
    ),
    (client.ParentToolRule, {"type": "parent_last_tool", "tool_name": "a", "children": ["b"]}),
    (
        client.ConditionalToolRule,
        {
            "type": "conditional",
            "tool_name": "a",
            "child_output_mapping": {"1": "b"},
            "default_child": "c",
            "require_output_mapping": True,
        },
    ),
    (client.MaxCountPerStepToolRule, {"type": "max_count_per_step", "tool_name": "a", "max_count_limit": 2}),
    (client.TerminalToolRule, {"type": "exit_loop", "tool_name": "a"}),
    (client.ContinueToolRule, {"type": "continue_loop", "tool_name": "a"}),
    (client.RequiredBeforeExitToolRule, {"type": "required_before_exit", "tool_name": "a"}),
    (client.RequiresApprovalToolRule, {"type": "requires_approval", "tool_name": "a"}),
]
TOLD = {
    "constrain_child_tools",
    "parent_last_tool",
    "conditional",
    "max_count_per_step",
    "exit_loop",
    "continue_loop",
}


@pytest.mark.parametrize(("kind", "wire"), WIRE)
def test_every_rule_of_the_client_survives_the_round_trip(kind: type, wire: dict) -> None:
    sent = kind(**wire).model_dump(exclude_none=True)
    (rule,) = parse_rules([sent])
    assert rule.model_dump(exclude_none=True) == wire
    assert kind(**rule.model_dump()).model_dump(exclude_none=True) == wire
    assert rule.model_dump()["prompt_template"] is None
    assert parse_rules([rule]) == (rule,)


def test_unknown_types_and_misspelt_fields_are_refused() -> None:
    for wire in (
        {"type": "run_last", "tool_name": "a"},
        {"tool_name": "a"},
        {"type": "exit_loop"},
        {"type": "run_first", "tool_name": "a", "arg": {}},
    ):
        with pytest.raises(ValidationError):
            parse_rules([wire])


def test_the_prompt_tells_of_the_rules_a_model_can_follow() -> None:
    rules = parse_rules([wire for _, wire in WIRE])
    assert {rule.type for rule in rules if words_of(rule)} == TOLD
    text = rule_text([wire for _, wire in WIRE])
    assert text.startswith("<tool_usage_rules>\n")
    assert text.endswith("\n</tool_usage_rules>")
    assert text.count("<tool_rule>") == len(TOLD)
    assert rule_text([{"type": "run_first", "tool_name": "a"}]) == ""
    assert rule_text([]) == ""


def test_words_name_every_case() -> None:
    (rule,) = parse_rules([WIRE[3][1]])
    assert words_of(rule) == (
        "What a returns decides which tool you call next: b after '1', c after anything else."
    )
    strict = rule.model_copy(update={"default_child": None})
    assert "none after anything else" in str(words_of(strict))
    assert "anything" not in str(words_of(strict.model_copy(update={"require_output_mapping": False})))
    (children,) = parse_rules([{"type": "constrain_child_tools", "tool_name": "a", "children": ["b", "c"]}])
    assert words_of(children) == "After a you must call one of b, c next."
