"""Errors into answers: one envelope, sentences instead of stack traces."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from perdure.kit.errors import PerdureError, explain

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Teach the application our errors."""
    app.add_exception_handler(PerdureError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unknown)


async def _known(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, PerdureError):
        raise error
    return JSONResponse(error.body(), error.status, headers=dict(error.headers))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return JSONResponse({"detail": explain(error.errors())}, 422)


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error", exc_info=error, extra={"path": request.url.path, "method": request.method})
    return JSONResponse({"detail": "An unknown error occurred; the server's log has the details."}, 500)
