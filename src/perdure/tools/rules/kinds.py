"""The rules as the wire spells them, told apart by `type`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    tool_name: str = Field(description="The tool the rule is about.")
    prompt_template: str | None = Field(default=None, description="Accepted and ignored.")


class InitToolRule(_Rule):
    """Before the first call of a turn only tools with this rule exist, and one must be called."""

    type: Literal["run_first"] = "run_first"
    args: dict[str, Any] | None = Field(
        default=None, description="Arguments that override the model's in that first call."
    )


class ToolCallNode(BaseModel):
    """Arguments for a child, which override the model's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="The child.")
    args: dict[str, Any] | None = Field(default=None, description="Its arguments; any part of them.")


class ChildToolRule(_Rule):
    """Right after the tool only its children exist, and one must be called."""

    type: Literal["constrain_child_tools"] = "constrain_child_tools"
    children: list[str]
    child_arg_nodes: list[ToolCallNode] | None = None


class ParentToolRule(_Rule):
    """The children exist only right after the tool, and then one must be called."""

    type: Literal["parent_last_tool"] = "parent_last_tool"
    children: list[str]


class ConditionalToolRule(_Rule):
    """What the tool returned picks the next tool."""

    type: Literal["conditional"] = "conditional"
    child_output_mapping: dict[str, str] = Field(description="From a return's text to the next tool.")
    default_child: str | None = Field(default=None, description="The next tool when nothing matches.")
    require_output_mapping: bool = Field(
        default=False, description="Without a match and a default, allow no tool instead of any."
    )


class MaxCountPerStepToolRule(_Rule):
    """The tool runs at most so often in one turn."""

    type: Literal["max_count_per_step"] = "max_count_per_step"
    max_count_limit: int


class TerminalToolRule(_Rule):
    """A call of the tool ends the turn."""

    type: Literal["exit_loop"] = "exit_loop"


class ContinueToolRule(_Rule):
    """A call of the tool makes another step certain; matters to older agent types only."""

    type: Literal["continue_loop"] = "continue_loop"


class RequiredBeforeExitToolRule(_Rule):
    """The turn should not end before the tool was called."""

    type: Literal["required_before_exit"] = "required_before_exit"


class RequiresApprovalToolRule(_Rule):
    """A person must agree to each call of the tool."""

    type: Literal["requires_approval"] = "requires_approval"


ToolRule = Annotated[
    InitToolRule
    | ChildToolRule
    | ParentToolRule
    | ConditionalToolRule
    | MaxCountPerStepToolRule
    | TerminalToolRule
    | ContinueToolRule
    | RequiredBeforeExitToolRule
    | RequiresApprovalToolRule,
    Field(discriminator="type"),
]

_RULES: TypeAdapter[tuple[ToolRule, ...]] = TypeAdapter(tuple[ToolRule, ...])


def parse_rules(stored: Sequence[Mapping[str, Any] | ToolRule]) -> tuple[ToolRule, ...]:
    """Rules from their wire form; those that are rules already stay."""
    return _RULES.validate_python(tuple(stored)) if stored else ()
