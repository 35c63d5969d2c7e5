"""What each kind of agent starts with."""

import pytest

from perdure.agents.base_tools import base_rules, wants_base_rules, with_rules
from perdure.agents.names import random_name
from perdure.agents.schemas.types import _checked_name

CHILD = {"type": "constrain_child_tools", "tool_name": "a", "children": ["b"]}
APPROVAL = {"type": "requires_approval", "tool_name": "a"}


@pytest.mark.parametrize(
    ("agent_type", "asked", "given", "wanted"),
    [
        ("letta_v1_agent", None, [], False),
        ("letta_v1_agent", None, [APPROVAL], False),
        ("letta_v1_agent", None, [CHILD], True),
        ("letta_v1_agent", True, [], True),
        ("memgpt_agent", None, [], True),
        ("memgpt_agent", False, [CHILD], False),
        ("sleeptime_agent", None, [], True),
    ],
)
def test_base_rules_depend_on_the_request_and_the_agent_type(agent_type, asked, given, wanted):
    assert wants_base_rules(agent_type, asked, given) is wanted


def test_terminal_tools_end_the_turn_and_the_others_go_on():
    assert base_rules(["send_message", "memory_insert"]) == [
        {"type": "exit_loop", "tool_name": "send_message"},
        {"type": "continue_loop", "tool_name": "memory_insert"},
    ]


def test_a_rule_that_is_there_is_not_added_again():
    assert with_rules([APPROVAL], [APPROVAL, CHILD]) == [APPROVAL, CHILD]


def test_random_names_are_valid_names():
    names = {random_name() for _ in range(50)}
    assert len(names) > 10
    assert all(_checked_name(name) == name for name in names)


@pytest.mark.parametrize("name", ["Ada", "Zoë O'Neil-2", "агент_1", "हिन्दी", "小明"])
def test_letters_of_any_script_make_a_name(name):
    assert _checked_name(name) == name


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a<b>", "a\nb", "🦜"])
def test_other_characters_do_not(name):
    with pytest.raises(ValueError, match="name must not"):
        _checked_name(name)
