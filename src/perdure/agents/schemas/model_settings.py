"""Settings of a model on the wire: one permissive shape for all vendors.

The clients know one class per `provider_type`; the fields all vendors share are checked here, the
others pass through as they are, so that what a client sends comes back.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from perdure.kit.text import storable

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class ResponseFormat(BaseModel):
    """`text`, `json_object`, or `json_schema` with the schema an answer must match."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class Reasoning(BaseModel):
    """How hard an OpenAI model thinks."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    reasoning_effort: Effort | None = None


class Thinking(BaseModel):
    """Whether an Anthropic model thinks, and how many tokens it may spend on it."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    type: Literal["enabled", "disabled"] | None = None
    budget_tokens: int | None = Field(None, ge=0)


class ThinkingConfig(BaseModel):
    """Whether a Google model shows its thoughts, and how many tokens it may spend on them."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    include_thoughts: bool | None = None
    thinking_budget: int | None = None


class ModelSettings(BaseModel):
    """What an agent asks of its model; unset fields are left to the vendor."""

    model_config = ConfigDict(extra="allow", defer_build=True, protected_namespaces=())

    provider_type: str | None = None
    parallel_tool_calls: bool | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_output_tokens: int | None = Field(None, gt=0)
    response_format: ResponseFormat | None = None
    reasoning: Reasoning | None = None
    thinking: Thinking | None = None
    thinking_config: ThinkingConfig | None = None

    def named(self) -> dict[str, Any]:
        """Only what the client named, as plain values; explicit nulls stay, to clear."""
        return storable(self.model_dump(exclude_unset=True))
