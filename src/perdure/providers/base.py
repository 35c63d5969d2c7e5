"""The model contract: a request, a stream of typed events, and the ways it can fail.

Vendors stand behind it (`ModelClient`); the loop sees nothing else of them.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from perdure.content.parts import Message
from perdure.kit.errors import PerdureError

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error"]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it; `parameters` is JSON Schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether the model must call: `auto`, `required`, `none`, or one tool by `name`."""

    mode: Literal["auto", "required", "none", "named"] = "auto"
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model. `model` is the vendor's own name; `messages` has no system prompt first."""

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    parallel_tool_calls: bool = False
    temperature: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: str | None = None
    thinking_budget: int | None = None
    response_format: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of thinking, its signature, or both. A new `index` begins a new reasoning part."""

    text: str = ""
    signature: str | None = None
    redacted: bool = False
    index: int = 0
    id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    """A tool call begins; `index` counts calls from 0 and ties its deltas to it."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a call's arguments, as the model wrote them."""

    index: int
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; null where the vendor does not tell."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The last event of every stream that did not fail."""

    reason: FinishReason
    usage: Usage = Usage()


ModelEvent = TextDelta | ReasoningDelta | ToolCallStart | ToolCallDelta | Finish


@dataclass(slots=True)
class Exchange:
    """The raw bytes of a call, filled while it runs, for traces. Holds no credentials."""

    url: str = ""
    status: int | None = None
    request: bytes = b""
    response: bytearray = field(default_factory=bytearray)


class ModelClient(Protocol):
    """A vendor's models behind one credential and URL."""

    def stream(
        self, request: ModelRequest, exchange: Exchange | None = None
    ) -> AsyncGenerator[ModelEvent, None]:
        """Ask; yields events, the last one a `Finish`. Raises `ModelError`."""
        ...


class ModelError(PerdureError):
    """A model call failed. `detail` names the provider and quotes its words."""

    status = 502
    error_type = "llm_error"
    retryable = False

    def __init__(self, detail: str, *, provider: str = "", retry_after: float | None = None):
        super().__init__(detail)
        self.provider = provider
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """The wire's envelope for failures of a provider."""
        return {"error": {"type": self.error_type, "message": self.detail, "detail": self.detail}}


class ModelAuthenticationError(ModelError):
    """The provider refuses the key."""

    status, error_type = 401, "llm_authentication"


class ModelRateLimited(ModelError):
    """Too many requests; `retry_after` in seconds where the provider tells."""

    status, error_type, retryable = 429, "llm_rate_limit", True


class ModelQuotaExceeded(ModelError):
    """The account has no credit left."""

    status, error_type = 402, "llm_insufficient_credits"


class ContextOverflow(ModelError):
    """The request does not fit the model's context window."""

    status, error_type = 400, "context_window_exceeded"


class ModelBadRequest(ModelError):
    """The provider does not accept the request."""

    status, error_type = 400, "llm_bad_request"


class ContentFiltered(ModelError):
    """The provider refuses to answer this content."""

    status, error_type = 400, "llm_content_filter"


class ModelTimeout(ModelError):
    """Nothing came for too long."""

    status, error_type, retryable = 504, "llm_timeout", True


class ModelUnavailable(ModelError):
    """The provider cannot be reached, or fails on its side (5xx)."""

    status, error_type, retryable = 503, "llm_error", True


class StreamCut(ModelError):
    """The provider's stream ended before its end."""

    status, error_type, retryable = 502, "llm_error", True
