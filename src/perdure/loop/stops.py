"""Failures as stop reasons and as the error types clients know: pure."""

from perdure.providers.base import (
    ContextOverflow,
    ModelError,
    ModelQuotaExceeded,
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
