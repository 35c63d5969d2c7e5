"""How a model is told of rules: in the prompt, and when it broke one."""

from collections.abc import Mapping, Sequence
from typing import Any

from perdure.tools.rules.kinds import (
    ChildToolRule,
    ConditionalToolRule,
    ContinueToolRule,
    MaxCountPerStepToolRule,
    ParentToolRule,
    TerminalToolRule,
    ToolRule,
    parse_rules,
)

CONSTRAINT_ERROR = "[ToolConstraintError]"
INTRO = "Some of your tools may only be called in certain ways:"


def rule_text(rules: Sequence[Mapping[str, Any] | ToolRule]) -> str:
    """The `<tool_usage_rules>` section of a prompt; empty when no rule has words."""
    told = [words for rule in parse_rules(rules) if (words := words_of(rule))]
    if not told:
        return ""
    each = (f"<tool_rule>\n{words}\n</tool_rule>" for words in dict.fromkeys(told))
    return "\n".join(("<tool_usage_rules>", INTRO, "", *each, "</tool_usage_rules>"))


def words_of(rule: ToolRule) -> str | None:
    """A rule as a sentence; None for those that a model need not know."""
    match rule:
        case ChildToolRule():
            words = f"After {rule.tool_name} you must call {_any_of(rule.children)} next."
        case ParentToolRule():
            words = f"{_all_of(rule.children)} may only be called right after {rule.tool_name}."
        case ConditionalToolRule():
            words = f"What {rule.tool_name} returns decides which tool you call next: {_cases(rule)}."
        case MaxCountPerStepToolRule():
            words = f"{rule.tool_name} may be called at most {_times(rule.max_count_limit)} per turn."
        case TerminalToolRule():
            words = f"{rule.tool_name} ends your turn: call it when there is nothing left to do."
        case ContinueToolRule():
            words = f"After {rule.tool_name} your turn always goes on."
        case _:
            words = None
    return words


def refusal_text(name: str, valid: Sequence[str], about: Sequence[ToolRule]) -> str:
    """Why a call was not run, what can be called instead, and the rules that may explain it."""
    instead = f"You can call: {', '.join(valid)}" if valid else "No tool can be called now; answer in words"
    hints = [words for rule in about if (words := words_of(rule))]
    hint = f" Hint: {' '.join(dict.fromkeys(hints))}" if hints else ""
    return f"{CONSTRAINT_ERROR} {name} cannot be called now, so it was not run. {instead}.{hint}"


def _cases(rule: ConditionalToolRule) -> str:
    cases = [f"{tool} after {output!r}" for output, tool in rule.child_output_mapping.items()]
    if rule.default_child:
        cases.append(f"{rule.default_child} after anything else")
    elif rule.require_output_mapping:
        cases.append("none after anything else")
    return ", ".join(cases)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _any_of(names: Sequence[str]) -> str:
    return f"one of {', '.join(names)}" if len(names) > 1 else "".join(names) or "no tool"


def _all_of(names: Sequence[str]) -> str:
    return " and ".join(names)
