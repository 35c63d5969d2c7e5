"""What rules mean: examples, and properties that hold for any rules and any history."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.tools.rules import CONSTRAINT_ERROR, CalledTool, Offer, PrefillError, ToolRules
from perdure.tools.rules.kinds import (
    ChildToolRule,
    ConditionalToolRule,
    ContinueToolRule,
    InitToolRule,
    MaxCountPerStepToolRule,
    ParentToolRule,
    RequiredBeforeExitToolRule,
    RequiresApprovalToolRule,
    TerminalToolRule,
    ToolCallNode,
    ToolRule,
)

TOOLS = ("a", "b", "c", "d")
ADD = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["x"],
}


def offer(rules: Sequence[ToolRule], *history: str | CalledTool, attached: Sequence[str] = TOOLS) -> Offer:
    made = [call if isinstance(call, CalledTool) else CalledTool(call, "ok") for call in history]
    return ToolRules(tuple(rules)).offer(attached, made)


names = st.sampled_from([*TOOLS, "gone"])
children = st.lists(names, max_size=3)
rule = st.one_of(
    st.builds(InitToolRule, tool_name=names),
    st.builds(ChildToolRule, tool_name=names, children=children),
    st.builds(ParentToolRule, tool_name=names, children=children),
    st.builds(
        ConditionalToolRule,
        tool_name=names,
        child_output_mapping=st.dictionaries(st.sampled_from(["1", "true", "x"]), names, max_size=3),
        default_child=st.none() | names,
        require_output_mapping=st.booleans(),
    ),
    st.builds(MaxCountPerStepToolRule, tool_name=names, max_count_limit=st.integers(0, 3)),
    st.builds(TerminalToolRule, tool_name=names),
    st.builds(ContinueToolRule, tool_name=names),
    st.builds(RequiredBeforeExitToolRule, tool_name=names),
    st.builds(RequiresApprovalToolRule, tool_name=names),
)
any_rules = st.lists(rule, max_size=6).map(lambda rules: ToolRules(tuple(rules)))
attached_tools = st.lists(st.sampled_from(TOOLS), unique=True)
call = st.builds(CalledTool, name=names, text=st.sampled_from(["1", "True", "x", "1.0", ""]))
histories = st.lists(call, max_size=6)


@given(any_rules, attached_tools, histories)
def test_the_offer_is_part_of_what_is_attached_and_keeps_its_order(
    rules: ToolRules, attached: list[str], history: list[CalledTool]
) -> None:
    names = rules.offer(attached, history).names
    assert list(names) == [name for name in attached if name in names]


@given(any_rules, attached_tools, histories)
def test_nothing_is_forced_when_nothing_can_be_called(
    rules: ToolRules, attached: list[str], history: list[CalledTool]
) -> None:
    offered = rules.offer(attached, history)
    assert offered.names or not offered.forced


@given(any_rules, attached_tools, histories)
def test_a_call_is_refused_exactly_when_it_is_not_offered(
    rules: ToolRules, attached: list[str], history: list[CalledTool]
) -> None:
    offered = rules.offer(attached, history)
    for name in (*TOOLS, "gone"):
        refusal = rules.refusal(name, attached, history)
        assert (refusal is None) == (name in offered.names)
        if refusal:
            assert refusal.startswith(f"{CONSTRAINT_ERROR} {name} ")
            assert all(valid in refusal for valid in offered.names)


@given(any_rules, attached_tools, histories)
def test_a_refused_call_changes_nothing(
    rules: ToolRules, attached: list[str], history: list[CalledTool]
) -> None:
    refused = CalledTool("a", f"{CONSTRAINT_ERROR} a cannot be called now", "error")
    assert rules.offer(attached, [*history, refused]) == rules.offer(attached, history)
    assert rules.missing_before_exit([*history, refused]) == rules.missing_before_exit(history)


@given(any_rules, st.data())
def test_limits_are_exact_under_any_interleaving(rules: ToolRules, data: st.DataObject) -> None:
    limits = [rule for rule in rules.rules if isinstance(rule, MaxCountPerStepToolRule)]
    history: list[CalledTool] = []
    for _ in range(12):
        offered = rules.offer(TOOLS, history).names
        if not offered:
            break
        history.append(CalledTool(data.draw(st.sampled_from(offered)), "x"))
    for limit in limits:
        assert sum(made.name == limit.tool_name for made in history) <= limit.max_count_limit


@given(st.integers(1, 4), histories)
def test_a_limit_alone_allows_exactly_its_number_of_calls(limit: int, history: list[CalledTool]) -> None:
    rules = ToolRules((MaxCountPerStepToolRule(tool_name="a", max_count_limit=limit),))
    count = sum(made.name == "a" for made in history)
    assert ("a" in rules.offer(TOOLS, history).names) == (count < limit)
    assert {"b", "c", "d"} <= set(rules.offer(TOOLS, history).names)


@given(attached_tools, histories)
def test_without_rules_everything_attached_is_offered_and_nothing_forced(
    attached: list[str], history: list[CalledTool]
) -> None:
    assert ToolRules().offer(attached, history) == Offer(tuple(attached), forced=False)


@given(st.sets(st.sampled_from(TOOLS), min_size=1), histories.filter(bool))
def test_run_first_matters_before_the_first_call_only(first: set[str], history: list[CalledTool]) -> None:
    rules = ToolRules(tuple(InitToolRule(tool_name=name) for name in first))
    before = rules.offer(TOOLS, [])
    assert set(before.names) == first
    assert before.forced
    assert rules.offer(TOOLS, history) == Offer(TOOLS)


def test_run_first_of_a_detached_tool_does_not_hold_up_the_others() -> None:
    assert offer([InitToolRule(tool_name="gone")]) == Offer(TOOLS)


def test_right_after_a_parent_only_its_children_exist() -> None:
    rules = [ChildToolRule(tool_name="a", children=["b", "c"])]
    assert offer(rules) == Offer(TOOLS)
    assert offer(rules, "a") == Offer(("b", "c"), forced=True)
    assert offer(rules, "a", "b") == Offer(TOOLS)


def test_an_empty_set_means_none_not_all() -> None:
    assert offer([ChildToolRule(tool_name="a", children=[])], "a") == Offer(())
    assert offer([ChildToolRule(tool_name="a", children=["gone"])], "a") == Offer(())


def test_children_of_several_rules_on_one_tool_add_up() -> None:
    rules = [ChildToolRule(tool_name="a", children=["b"]), ChildToolRule(tool_name="a", children=["c"])]
    assert offer(rules, "a").names == ("b", "c")


def test_children_of_a_parent_last_rule_exist_right_after_it_only() -> None:
    rules = [ParentToolRule(tool_name="a", children=["b"]), ParentToolRule(tool_name="c", children=["b"])]
    assert offer(rules) == Offer(("a", "c", "d"))
    assert offer(rules, "d") == Offer(("a", "c", "d"))
    assert offer(rules, "a") == Offer(("b",), forced=True)
    assert offer(rules, "c") == Offer(("b",), forced=True)


def test_kinds_of_rules_intersect() -> None:
    rules = [
        ChildToolRule(tool_name="a", children=["b", "c"]),
        MaxCountPerStepToolRule(tool_name="b", max_count_limit=1),
        ConditionalToolRule(tool_name="a", child_output_mapping={"ok": "c", "no": "b"}),
    ]
    assert offer(rules, "b", "a") == Offer(("c",), forced=True)
    assert offer(rules, "b", CalledTool("a", "no")) == Offer(())


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("yes", "yes"),
        ("true", "True"),
        ("True", "true"),
        ("5", "5"),
        ("5", "5.0"),
        ("1.50", "1.5"),
        ("x", " x\n"),
    ],
)
def test_a_conditional_compares_the_return_text(key: str, text: str) -> None:
    rules = [ConditionalToolRule(tool_name="a", child_output_mapping={key: "b"})]
    assert offer(rules, CalledTool("a", text)) == Offer(("b",), forced=True)


@pytest.mark.parametrize("text", ["no", "5", "", "nan", "{", "true"])
def test_a_conditional_without_match_falls_back(text: str) -> None:
    mapping = {"yes": "b", "nan!": "c"}
    history = CalledTool("a", text)
    anything = ConditionalToolRule(tool_name="a", child_output_mapping=mapping)
    default = ConditionalToolRule(tool_name="a", child_output_mapping=mapping, default_child="d")
    required = ConditionalToolRule(tool_name="a", child_output_mapping=mapping, require_output_mapping=True)
    assert offer([anything], history) == Offer(TOOLS)
    assert offer([default], history) == Offer(("d",), forced=True)
    assert offer([required], history) == Offer(())


def test_prefilled_arguments_override_the_models_in_the_first_call_only() -> None:
    rules = ToolRules((InitToolRule(tool_name="a", args={"x": "7"}),))
    assert rules.prefill("a", {"x": 1, "note": "n"}, [], ADD) == {"x": 7, "note": "n"}
    assert rules.prefill("a", {"x": 1}, [CalledTool("b", "")], ADD) == {"x": 1}
    assert rules.prefill("b", {"x": 1}, [], ADD) == {"x": 1}


def test_child_arguments_are_prefilled_right_after_the_parent() -> None:
    node = ToolCallNode(name="b", args={"note": "from the rule"})
    rules = ToolRules((ChildToolRule(tool_name="a", children=["b", "c"], child_arg_nodes=[node]),))
    after = [CalledTool("a", "")]
    assert rules.prefill("b", {"x": 1}, after, ADD) == {"x": 1, "note": "from the rule"}
    assert rules.prefill("c", {"x": 1}, after, ADD) == {"x": 1}
    assert rules.prefill("b", {"x": 1}, [*after, CalledTool("d", "")], ADD) == {"x": 1}


def test_bad_prefilled_arguments_name_the_rule_and_every_fault() -> None:
    rules = ToolRules((InitToolRule(tool_name="a", args={"x": "many", "y": 1}),))
    with pytest.raises(PrefillError) as raised:
        rules.prefill("a", {}, [], ADD)
    text = raised.value.detail
    assert "run_first rule of a" in text
    assert "'x' must be a whole number" in text
    assert "unknown parameter 'y'" in text


def test_questions_about_one_tool() -> None:
    rules = ToolRules(
        (
            TerminalToolRule(tool_name="a"),
            RequiresApprovalToolRule(tool_name="b"),
            ContinueToolRule(tool_name="c"),
            ChildToolRule(tool_name="d", children=["a"]),
        )
    )
    assert [name for name in TOOLS if rules.ends_turn(name)] == ["a"]
    assert [name for name in TOOLS if rules.needs_approval(name)] == ["b"]
    assert [name for name in TOOLS if rules.continues(name)] == ["c", "d"]


def test_required_tools_are_missing_until_called_and_only_if_the_agent_has_them() -> None:
    stored = [
        {"type": "required_before_exit", "tool_name": "a"},
        {"type": "required_before_exit", "tool_name": "gone"},
        {"type": "required_before_exit", "tool_name": "b"},
    ]
    assert ToolRules.of(stored).missing_before_exit([]) == ("a", "gone", "b")
    rules = ToolRules.of(stored, attached=TOOLS)
    assert rules.missing_before_exit([]) == ("a", "b")
    assert rules.missing_before_exit([CalledTool("b", ""), CalledTool("a", "", "error")]) == ()


def test_only_approval_leaves_parallel_calls_on() -> None:
    assert ToolRules().parallel_allowed()
    assert ToolRules((RequiresApprovalToolRule(tool_name="a"),)).parallel_allowed()
    assert not ToolRules((TerminalToolRule(tool_name="a"),)).parallel_allowed()


def test_a_refusal_hints_at_the_rules_on_this_and_the_previous_tool() -> None:
    rules = ToolRules(
        (
            ChildToolRule(tool_name="a", children=["b"]),
            MaxCountPerStepToolRule(tool_name="c", max_count_limit=1),
        )
    )
    refusal = rules.refusal("c", TOOLS, [CalledTool("a", "")])
    assert refusal
    assert "You can call: b." in refusal
    assert "After a you must call b next." in refusal
    assert "c may be called at most once per turn." in refusal
    assert "No tool can be called now" in str(ToolRules().refusal("x", [], []))
