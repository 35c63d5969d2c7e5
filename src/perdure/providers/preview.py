"""What a client would send, unsent."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol, runtime_checkable

from perdure.providers.base import ModelClient, ModelRequest

OWN_FORM = (
    "This model's provider is reached through an SDK, which makes the body while it sends; "
    "`request` is what it is given, in Perdure's own form."
)


@runtime_checkable
class Previewable(Protocol):
    """A model client that knows the body of a call before it is made."""

    def body(self, request: ModelRequest) -> Mapping[str, Any]:
        """The body that `stream` would send."""
        ...


def body_of(client: ModelClient, request: ModelRequest) -> Mapping[str, Any]:
    """The body of the call; for clients that cannot tell it, the request in our own form, which says so."""
    if isinstance(client, Previewable):
        return client.body(request)
    return {"note": OWN_FORM, "request": asdict(request)}
