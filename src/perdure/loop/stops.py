"""Failures as stop reasons and as the error types clients know: pure."""

from perdure.kit.errors import PerdureError
from perdure.providers.base import (
    ContentFiltered,
    ContextOverflow,
    ModelAuthenticationError,
    ModelBadRequest,
    ModelError,
    ModelQuotaExceeded,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
)

UNKNOWN = "An unknown error occurred; the server's log has the details."


TOLD_AS = (
    ContentFiltered,
    ContextOverflow,
    ModelAuthenticationError,
    ModelBadRequest,
    ModelQuotaExceeded,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
)


def stop_reason_of(error: Exception) -> str:
    """Why a run stops that ran into this error."""
    match error:
        case ContextOverflow():
            return "context_window_overflow_in_system_prompt"
        case ModelQuotaExceeded():
            return "insufficient_credits"
        case ModelError():
            return "llm_api_error"
        case _:
            return "error"


def error_type_of(error: Exception) -> str:
    """The `error_type` of the frame that tells a stream's reader."""
    return error.error_type if isinstance(error, ModelError) else "internal_error"


def words_of(error: Exception) -> str:
    """What people are told of it: nothing of errors that nobody expected."""
    return error.detail if isinstance(error, PerdureError) else UNKNOWN


def error_of(error: Exception) -> dict[str, str]:
    """What is kept of a failure."""
    return {"error_type": error_type_of(error), "message": words_of(error)}


def error_again(error_type: str, words: str) -> PerdureError:
    """A failure that was stored by its type and words, to be told again."""
    kind = next((kind for kind in TOLD_AS if kind.error_type == error_type), PerdureError)
    return kind(words)
