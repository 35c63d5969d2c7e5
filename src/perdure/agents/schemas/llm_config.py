"""`llm_config`: the old object that says which model and how, all in one."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from perdure.agents.schemas.model_settings import Effort, ResponseFormat
from perdure.kit.text import storable


class LLMConfig(BaseModel):
    """Deprecated on the wire; read into a handle and named settings, shown from them."""

    model_config = ConfigDict(extra="allow", defer_build=True, protected_namespaces=())

    model: str
    model_endpoint_type: str
    context_window: int = Field(gt=0)
    display_name: str | None = None
    model_endpoint: str | None = None
    provider_name: str | None = None
    provider_category: str | None = None
    model_wrapper: str | None = None
    put_inner_thoughts_in_kwargs: bool | None = False
    handle: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    enable_reasoner: bool | None = True
    reasoning_effort: Effort | None = None
    max_reasoning_tokens: int | None = 0
    effort: str | None = None
    frequency_penalty: float | None = None
    compatibility_type: Literal["gguf", "mlx"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    tier: str | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    strict: bool | None = False
    return_logprobs: bool | None = False
    top_logprobs: int | None = None
    return_token_ids: bool | None = False
    tool_call_parser: str | None = None

    def named(self) -> dict[str, Any]:
        """Only what the client named, as plain values."""
        return storable(self.model_dump(exclude_unset=True, exclude_none=True))
