"""Runs inside the sandbox before a model's program: the agent's tools as functions.

Standard library only, and nothing of Perdure: the server never imports it, it sends its text.
"""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class ToolError(Exception):
    """A tool could not do it; the message says why."""


def connect(parameters: Mapping[str, Sequence[str]]) -> dict[str, Callable[..., Any]]:
    """The tools by name; given are the names of their parameters, in order."""
    url, token = os.environ.pop("PERDURE_CALLS_URL"), os.environ.pop("PERDURE_CALLS_TOKEN")  # noqa: TID251
    return {name: _tool(url, token, name, tuple(names)) for name, names in parameters.items()}


def _tool(url: str, token: str, name: str, parameters: tuple[str, ...]) -> Callable[..., Any]:
    def call(*values: Any, **arguments: Any) -> Any:
        if len(values) > len(parameters):
            raise TypeError(f"{name} takes {len(parameters)} arguments, not {len(values)}")
        given = dict(zip(parameters, values, strict=False))
        if twice := given.keys() & arguments.keys():
            raise TypeError(f"{name} was given {', '.join(sorted(twice))} twice")
        return _ask(url, token, {"name": name, "arguments": {**given, **arguments}})

    call.__name__ = name
    return call


def _ask(url: str, token: str, body: Mapping[str, Any]) -> Any:
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        said = error.read(1000).decode(errors="replace")
        raise ToolError(f"{body['name']} could not be called: HTTP {error.code} {said}") from None
    if told["status"] == "error":
        raise ToolError(f"{body['name']}: {told['value']}")
    return told["value"]
