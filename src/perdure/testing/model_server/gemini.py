"""Google's Gemini, as the scripted server speaks it."""

import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import orjson

from perdure.testing.model_server.chat import Frame
from perdure.testing.model_server.script import (
    Called,
    Failure,
    Said,
    Script,
    Thought,
    Turn,
    last_text_of,
)

PATH = re.compile(r"/v1(beta)?/models/[^:]+:(streamG|g)enerateContent$")
STOPS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}


def read_turn(body: dict[str, Any]) -> Turn:
    """The state of the conversation in a request."""
    returned: list[str] = []
    answers = 0
    for message in reversed(body["contents"]):
        if message["role"] == "model":
            answers += 1
            continue
        responses = [part["functionResponse"] for part in message["parts"] if "functionResponse" in part]
        if not answers:
            returned += [orjson.dumps(response["response"]).decode() for response in responses]
        text = last_text_of(message["parts"])
        if text:
            return Turn(text, answers, tuple(returned))
    return Turn("", answers, tuple(returned))


def frames(script: Script, _: dict[str, Any], size: int) -> Iterator[Frame]:
    """The answer as server-sent events."""
    for item in script.items:
        for part in _parts(item):
            yield None, {"candidates": [{"content": {"role": "model", "parts": [part]}}]}
    if script.error:
        yield None, {"error": {"code": 503, "message": script.error, "status": "UNAVAILABLE"}}
        return
    yield None, _end(script, [], size)


def answer(script: Script, _: dict[str, Any], size: int) -> dict[str, Any]:
    """The answer as one object."""
    return _end(script, [part for item in script.items for part in _parts(item)], size)


def failure(fault: Failure) -> dict[str, Any]:
    """The body of an HTTP error."""
    words = {
        "overflow": "The input token count (210000) exceeds the maximum number of tokens allowed (200000).",
        "quota": "You exceeded your current quota, please check your plan and billing details.",
        "filter": "The prompt was blocked by the content policy.",
        "": f"Scripted failure {fault.status}",
    }
    return {"error": {"code": fault.status, "message": words[fault.kind], "status": "FAILED"}}


def _parts(item: Said | Thought | Called) -> Iterator[dict[str, Any]]:
    match item:
        case Said():
            yield from ({"text": chunk} for chunk in item.chunks)
        case Thought():
            yield from ({"text": chunk, "thought": True} for chunk in item.chunks)
        case Called():
            call = {"name": item.name, "args": orjson.loads(item.arguments)}
            yield {"functionCall": call, "thoughtSignature": b64encode(b"signed").decode()}


def _end(script: Script, parts: list[dict[str, Any]], size: int) -> dict[str, Any]:
    prompt, thought = max(1, size // 4), script.tokens(Thought)
    told = script.tokens(Said) + script.tokens(Called)
    usage = {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": prompt // 2,
        "candidatesTokenCount": told,
        "thoughtsTokenCount": thought,
        "totalTokenCount": prompt + told + thought,
    }
    end = {
        "content": {"role": "model", "parts": parts or [{"text": ""}]},
        "finishReason": STOPS[script.finish],
    }
    return {"candidates": [end], "usageMetadata": usage, "modelVersion": "gemini-test", "responseId": "r1"}
