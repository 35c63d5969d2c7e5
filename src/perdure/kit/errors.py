"""The errors that reach a person: what happened and what to do, each with its HTTP status."""

from collections.abc import Mapping, Sequence
from typing import Any


class PerdureError(Exception):
    """Root of all errors we raise on purpose; `detail` is a sentence for the caller."""

    status = 500
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str, **extra: Any):
        super().__init__(detail)
        self.detail = detail
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"detail": self.detail, **self.extra}


class InvalidArgument(PerdureError):
    """The request is well-formed but asks for something impossible."""

    status = 400


class Unauthorized(PerdureError):
    """No credential, or one that is unknown, revoked or expired."""

    status = 401


class Forbidden(PerdureError):
    """A known caller who may not do this."""

    status = 403


class NotFound(PerdureError):
    """No such row for this organization."""

    status = 404


class Conflict(PerdureError):
    """The state of things forbids this now; clients should not retry by themselves."""

    status = 409
    headers: Mapping[str, str] = {"x-should-retry": "false"}


class Gone(PerdureError):
    """It was there, and is not kept any longer."""

    status = 410


class Unprocessable(PerdureError):
    """A field has a value that can never be accepted."""

    status = 422


class Unavailable(PerdureError):
    """Something this server depends on is not answering."""

    status = 503


def explain(errors: Sequence[Any]) -> str:
    """A sentence per field that is wrong: `max_steps: Input should be greater than or equal to 1`."""
    sentences: list[str] = []
    for error in errors:
        place = ".".join(str(step) for step in error["loc"] if step not in ("body", "query", "path"))
        message = str(error["msg"]).removeprefix("Value error, ")
        sentences.append(f"{place}: {message}" if place else message)
    return "; ".join(dict.fromkeys(sentences))
