"""Failures as stop reasons and as the error types clients know: pure."""

from perdure.kit.errors import PerdureError
from perdure.providers.base import (
    ContextOverflow,
    ModelError,
    ModelQuotaExceeded,
)

UNKNOWN = "An unknown error occurred; the server's log has the details."


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
