"""Runs and steps as clients see them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict

from perdure.kit.clock import WIRE_TIME
from perdure.runs.store import RunRow, StepRow, Tokens

WireTime = Annotated[datetime, WIRE_TIME]


class RequestConfig(BaseModel):
    """How the caller wanted its answer shown."""

    use_assistant_message: bool = True
    assistant_message_tool_name: str = "send_message"
    assistant_message_tool_kwarg: str = "message"
    include_return_message_types: list[str] | None = None


class Run(BaseModel):
    """One request to an agent and what became of it."""

    id: str
    status: Literal["created", "running", "completed", "failed", "cancelled"]
    created_at: WireTime
    completed_at: WireTime | None = None
    agent_id: str
    conversation_id: str | None = None
    base_template_id: str | None = None
    background: bool | None = None
    metadata: dict[str, Any] | None = None
    request_config: RequestConfig | None = None
    stop_reason: str | None = None
    callback_url: str | None = None
    callback_sent_at: WireTime | None = None
    callback_status_code: int | None = None
    callback_error: str | None = None
    ttft_ns: int | None = None
    total_duration_ns: int | None = None

    @classmethod
    def of(cls, row: RunRow) -> "Run":
        """The run of a row; a failure shows in its metadata."""
        metadata = dict(row.metadata or {})
        if row.error:
            metadata["error"] = dict(row.error)
        return cls(
            id=row.id,
            status=row.status,
            created_at=row.created_at,
            completed_at=row.completed_at,
            agent_id=row.agent_id,
            conversation_id=row.conversation_id,
            background=row.background,
            metadata=metadata,
            request_config=RequestConfig(**row.request_config) if row.request_config else None,
            stop_reason=row.stop_reason,
            callback_url=row.callback_url,
            callback_sent_at=row.callback_sent_at,
            callback_status_code=row.callback_status_code,
            callback_error=row.callback_error,
            ttft_ns=row.ttft_ns,
            total_duration_ns=row.total_duration_ns,
        )


class Step(BaseModel):
    """One call of a model."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    agent_id: str | None = None
    run_id: str | None = None
    provider_id: str | None = None
    provider_name: str | None = None
    provider_category: str | None = None
    model: str | None = None
    model_handle: str | None = None
    model_endpoint: str | None = None
    context_window_limit: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None
    stop_reason: str | None = None
    status: Literal["pending", "success", "failed", "cancelled"]
    error_type: str | None = None
    error_data: dict[str, Any] | None = None
    feedback: Literal["positive", "negative"] | None = None
    tags: list[str] = []
    messages: list[Any] = []
    origin: str | None = None
    project_id: str | None = None
    request_id: str | None = None
    tid: str | None = None
    trace_id: str | None = None
    created_at: WireTime
    completed_at: WireTime | None = None

    @classmethod
    def of(cls, row: StepRow, provider_id: str | None = None) -> "Step":
        """The step of a row; `provider_id` is the row of its provider, where there is one."""
        tokens = row.tokens
        return cls(
            id=row.id,
            agent_id=row.agent_id,
            run_id=row.run_id,
            provider_id=provider_id if row.provider_category == "byok" else None,
            provider_name=row.provider_name,
            provider_category=row.provider_category,
            model=row.model,
            model_handle=row.model_handle,
            model_endpoint=row.model_endpoint,
            context_window_limit=row.context_window_limit,
            stop_reason=row.stop_reason,
            status=row.status,
            error_type=row.error_type,
            error_data=dict(row.error_data) if row.error_data else None,
            feedback=row.feedback,
            tags=list(row.tags or ()),
            created_at=row.created_at,
            completed_at=row.completed_at,
            prompt_tokens=tokens.prompt,
            completion_tokens=tokens.completion,
            total_tokens=tokens.total,
            cached_input_tokens=tokens.cached,
            cache_write_tokens=tokens.cache_write,
            reasoning_tokens=tokens.reasoning,
            prompt_tokens_details=prompt_details(tokens),
            completion_tokens_details=completion_details(tokens),
        )


def prompt_details(tokens: Tokens) -> dict[str, Any] | None:
    """How the prompt's tokens divide, where the provider tells."""
    if tokens.cached is None and tokens.cache_write is None:
        return None
    return {
        "cached_tokens": tokens.cached,
        "cache_read_tokens": tokens.cached,
        "cache_creation_tokens": tokens.cache_write,
    }


def completion_details(tokens: Tokens) -> dict[str, Any] | None:
    """How the answer's tokens divide, where the provider tells."""
    return None if tokens.reasoning is None else {"reasoning_tokens": tokens.reasoning}


class RunUsage(BaseModel):
    """Tokens of a run, in OpenAI's shape."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None


class RunMetrics(BaseModel):
    """Times of a run."""

    id: str
    agent_id: str
    run_start_ns: int
    run_ns: int | None
    num_steps: int
    tools_used: list[str]


class StepMetrics(BaseModel):
    """Times of a step, in nanoseconds."""

    id: str
    agent_id: str | None = None
    run_id: str | None = None
    provider_id: str | None = None
    step_start_ns: int | None = None
    llm_request_start_ns: int | None = None
    llm_request_ns: int | None = None
    tool_execution_ns: int | None = None
    step_ns: int | None = None
    base_template_id: str | None = None
    template_id: str | None = None
    project_id: str | None = None


class ProviderTrace(BaseModel):
    """The raw exchange with a provider; keys are never part of it."""

    id: str
    step_id: str
    request_json: dict[str, Any]
    response_json: dict[str, Any]
    created_at: WireTime


class Feedback(BaseModel):
    """What a person thinks of a step; null takes it back."""

    feedback: Literal["positive", "negative"] | None = None
    tags: list[str] | None = None
