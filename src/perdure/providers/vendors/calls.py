"""Calls that go back to a vendor: what all of them can read, whatever the model wrote."""

import hashlib
import re

import orjson

from perdure.content.parts import ToolCall

PLAIN_ID = re.compile(r"[a-zA-Z0-9_-]+")


def arguments_of(call: ToolCall) -> str:
    """The model's own text where it is a JSON object, unchanged to the last digit; else one that quotes it.

    vLLM, llama.cpp and others read the arguments of every earlier call, and refuse the whole request for
    one that is broken.
    """
    text = call.arguments or "{}"
    try:
        is_object = isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        is_object = False
    return text if is_object else orjson.dumps({"malformed_arguments": text}).decode()


def plain_id(id: str) -> str:
    """The id of a call in letters, digits, `_` and `-`; the same id always becomes the same."""
    return id if PLAIN_ID.fullmatch(id) else f"call_{hashlib.sha256(id.encode()).hexdigest()[:24]}"
