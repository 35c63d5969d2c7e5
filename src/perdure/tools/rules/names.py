"""Rules name tools: what becomes of them when a tool is renamed or gone. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

Rule = dict[str, Any]


def renamed(rules: Sequence[Rule], old: str, new: str) -> list[Rule]:
    """The same rules about a tool that has another name now."""
    return [_with_names(rule, {old: new}) for rule in rules]


def without_tool(rules: Sequence[Rule], name: str) -> list[Rule]:
    """The rules that are left when a tool is gone: none about it, and none that leads only to it."""
    left: list[Rule] = []
    for rule in rules:
        made = _with_names(rule, {name: None})
        if made["tool_name"] is not None and (_leads(made) or not _leads(rule)):
            left.append(made)
    return left


def _with_names(rule: Rule, names: Mapping[str, str | None]) -> Rule:
    """A rule with other names; those that become None are left out of what it leads to."""

    def named(name: str) -> str | None:
        return names.get(name, name)

    made = {**rule, "tool_name": named(rule["tool_name"])}
    if rule.get("children"):
        made["children"] = [new for name in rule["children"] if (new := named(name))]
    if rule.get("child_arg_nodes"):
        nodes = ({**node, "name": named(node["name"])} for node in rule["child_arg_nodes"])
        made["child_arg_nodes"] = [node for node in nodes if node["name"]]
    if rule.get("child_output_mapping"):
        mapping = {output: named(name) for output, name in rule["child_output_mapping"].items()}
        made["child_output_mapping"] = {output: name for output, name in mapping.items() if name}
    if rule.get("default_child"):
        made["default_child"] = named(rule["default_child"])
    return made


def _leads(rule: Rule) -> bool:
    """Whether a rule names tools that come next."""
    return bool(rule.get("children") or rule.get("child_output_mapping") or rule.get("default_child"))
