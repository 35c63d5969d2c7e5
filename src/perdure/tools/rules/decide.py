"""What rules mean: given the calls of this turn, what comes next."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from perdure.tools.arguments import check
from perdure.tools.base import ToolFailed
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
    ToolRule,
    parse_rules,
)
from perdure.tools.rules.text import CONSTRAINT_ERROR, refusal_text

PREFILL_ERROR = "[ToolPrefillError]"
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class CalledTool:
    """A call of this turn and what came of it."""

    name: str
    text: str
    status: Literal["success", "error"] = "success"


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools a model may call now, in the order they were attached; none means none."""

    names: tuple[str, ...]
    forced: bool = False


class PrefillError(ToolFailed):
    """A rule prescribes arguments that its tool does not take: a mistake of whoever made the rule.

    No other answer of the model can heal it, so it ends the turn with `invalid_tool_call`.
    """


@dataclass(frozen=True, slots=True)
class ToolRules:
    """An agent's rules.

    `history` is always every return of this turn so far, in order, also from before an approval.
    A call that failed or was denied counts as made; one that was refused by a rule does not.
    """

    rules: tuple[ToolRule, ...] = ()

    @classmethod
    def of(
        cls, rules: Sequence[Mapping[str, Any] | ToolRule], attached: Collection[str] | None = None
    ) -> "ToolRules":
        """The rules in force. With `attached`, nobody is asked for a required tool the agent lacks."""
        kept = (
            rule
            for rule in parse_rules(rules)
            if not isinstance(rule, RequiredBeforeExitToolRule)
            or attached is None
            or rule.tool_name in attached
        )
        return cls(tuple(kept))

    def offer(self, attached: Sequence[str], history: Sequence[CalledTool]) -> Offer:
        """What may be called now, and whether something must be."""
        made = _made(history)
        allowed, forced = self._first(attached) if not made else self._next(set(attached), made[-1])
        spent = self._spent(made)
        names = tuple(name for name in dict.fromkeys(attached) if name in allowed and name not in spent)
        return Offer(names, forced and bool(names))

    def refusal(self, name: str, attached: Sequence[str], history: Sequence[CalledTool]) -> str | None:
        """Why this call must not run; None when it may."""
        valid = self.offer(attached, history).names
        if name in valid:
            return None
        made = _made(history)
        concerned = {name, made[-1].name} if made else {name}
        about = [rule for rule in self.rules if rule.tool_name in concerned or name in _children(rule)]
        return refusal_text(name, valid, about)

    def prefill(
        self,
        name: str,
        arguments: Mapping[str, Any],
        history: Sequence[CalledTool],
        parameters: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The arguments with those that rules prescribe; raises `PrefillError` naming every fault."""
        filled = dict(arguments)
        faults: list[str] = []
        for rule, prescribed in self._prescribed(name, _made(history)):
            values, wrong = check(parameters, prescribed, partial=True)
            filled.update(values)
            where = f"the arguments of the {rule.type} rule of {rule.tool_name}"
            faults += (f"{where}: {fault}" for fault in wrong)
        if faults:
            raise PrefillError(f"{PREFILL_ERROR} {name} was not run: {'; '.join(faults)}.")
        return filled

    def needs_approval(self, name: str) -> bool:
        """Whether a person must agree to a call of this tool."""
        return any(rule.tool_name == name for rule in self._of(RequiresApprovalToolRule))

    def ends_turn(self, name: str) -> bool:
        """Whether a call of this tool ends the turn."""
        return any(rule.tool_name == name for rule in self._of(TerminalToolRule))

    def continues(self, name: str) -> bool:
        """Whether a step after this tool is certain; the older loop asks."""
        kinds = (ContinueToolRule, ChildToolRule, ConditionalToolRule, ParentToolRule)
        return any(rule.tool_name == name for rule in self.rules if isinstance(rule, kinds))

    def missing_before_exit(self, history: Sequence[CalledTool]) -> tuple[str, ...]:
        """The tools that must still be called before the turn may end."""
        called = {call.name for call in _made(history)}
        required = dict.fromkeys(rule.tool_name for rule in self._of(RequiredBeforeExitToolRule))
        return tuple(name for name in required if name not in called)

    def parallel_allowed(self) -> bool:
        """Whether the model may call several tools in one step: rules on order forbid it."""
        return all(isinstance(rule, RequiresApprovalToolRule) for rule in self.rules)

    def _of(self, kind: type[Kind]) -> list[Kind]:
        return [rule for rule in self.rules if isinstance(rule, kind)]

    def _first(self, attached: Sequence[str]) -> tuple[set[str], bool]:
        """Before the first call. A `run_first` tool that is not attached cannot hold up the others."""
        first = {rule.tool_name for rule in self._of(InitToolRule)} & set(attached)
        parents = self._of(ParentToolRule)
        held_back = {child for rule in parents for child in rule.children}
        return (first, True) if first else (set(attached) - held_back, False)

    def _next(self, attached: set[str], last: CalledTool) -> tuple[set[str], bool]:
        """After a call: each kind of rule narrows; rules of one kind on one tool add up."""
        after = last.name
        parents = self._of(ParentToolRule)
        follow = {child for rule in parents if rule.tool_name == after for child in rule.children}
        held_back = {child for rule in parents for child in rule.children} - follow
        children = [rule for rule in self._of(ChildToolRule) if rule.tool_name == after]
        picked = [pick(rule, last.text) for rule in self._of(ConditionalToolRule) if rule.tool_name == after]
        narrowed = [
            {name for rule in children for name in rule.children} if children else None,
            follow if any(rule.tool_name == after for rule in parents) else None,
            set[str]().union(*(names for names in picked if names is not None)) if _narrows(picked) else None,
        ]
        allowed = attached - held_back
        for names in narrowed:
            allowed = allowed if names is None else allowed & names
        return allowed, any(names is not None for names in narrowed)

    def _spent(self, made: Sequence[CalledTool]) -> set[str]:
        """The tools that reached their limit."""
        counts = {rule.tool_name: 0 for rule in self._of(MaxCountPerStepToolRule)}
        for call in made:
            if call.name in counts:
                counts[call.name] += 1
        limits = self._of(MaxCountPerStepToolRule)
        return {rule.tool_name for rule in limits if counts[rule.tool_name] >= rule.max_count_limit}

    def _prescribed(
        self, name: str, made: Sequence[CalledTool]
    ) -> list[tuple[InitToolRule | ChildToolRule, Mapping[str, Any]]]:
        """The arguments that rules prescribe for a call of this tool now."""
        if not made:
            firsts = self._of(InitToolRule)
            return [(rule, rule.args) for rule in firsts if rule.tool_name == name and rule.args]
        children = [rule for rule in self._of(ChildToolRule) if rule.tool_name == made[-1].name]
        return [
            (rule, node.args)
            for rule in children
            for node in rule.child_arg_nodes or ()
            if node.name == name and node.args
        ]


def pick(rule: ConditionalToolRule, text: str) -> set[str] | None:
    """The tools a return's text leaves; None when the rule has nothing to say about it."""
    for output, child in rule.child_output_mapping.items():
        if _same(output, text):
            return {child}
    if rule.default_child:
        return {rule.default_child}
    return set() if rule.require_output_mapping else None


def is_prefill_error(text: str, status: str) -> bool:
    """Whether a return tells of a `PrefillError`."""
    return status == "error" and text.startswith(PREFILL_ERROR)


def _narrows(picked: Sequence[set[str] | None]) -> bool:
    return any(names is not None for names in picked)


def _same(key: str, text: str) -> bool:
    """Whether a mapping's key means this text: as a string, a bool or a number."""
    key, text = key.strip(), text.strip()
    if key == text or (key.lower() in ("true", "false") and key.lower() == text.lower()):
        return True
    try:
        return float(key) == float(text)
    except ValueError:
        return False


def _made(history: Sequence[CalledTool]) -> list[CalledTool]:
    """The calls that were made: all but those a rule refused."""
    return [
        call for call in history if not (call.status == "error" and call.text.startswith(CONSTRAINT_ERROR))
    ]


def _children(rule: ToolRule) -> Collection[str]:
    return rule.children if isinstance(rule, ChildToolRule | ParentToolRule) else ()
