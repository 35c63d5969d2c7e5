"""Errors in the envelope that OpenAI's clients read."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from perdure.agents.named import NoSuchAgent
from perdure.kit.errors import PerdureError, explain
from perdure.providers.base import ModelError

TYPES = {401: "authentication_error", 403: "permission_error", 409: "conflict_error", 429: "rate_limit_error"}
SERVER_ERROR = 500


class OpenAIRoute(APIRoute):
    """A route whose refusals OpenAI's clients understand."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, its errors turned into answers."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except PerdureError as error:
                return JSONResponse(envelope(error), error.status, headers=_headers(error))
            except RequestValidationError as error:
                return JSONResponse({"error": _error(explain(error.errors()), 422, None)}, 422)

        return answer


def envelope(error: PerdureError) -> dict[str, Any]:
    """The body of an answer to a failed request."""
    return {"error": _error(error.detail, error.status, code_of(error))}


def code_of(error: PerdureError) -> str | None:
    """A word for programs."""
    if isinstance(error, NoSuchAgent):
        return "model_not_found"
    return error.error_type if isinstance(error, ModelError) else None


def _error(message: str, status: int, code: str | None) -> dict[str, Any]:
    kind = "server_error" if status >= SERVER_ERROR else TYPES.get(status, "invalid_request_error")
    return {"message": message, "type": kind, "param": None, "code": code}


def _headers(error: PerdureError) -> dict[str, str]:
    """A client that tried again would tell the agent a second time: what was sent is stored by then."""
    told = {"x-should-retry": "false"} if isinstance(error, ModelError) else {}
    return {**error.headers, **told}
