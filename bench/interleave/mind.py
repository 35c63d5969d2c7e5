"""The model of these stories: what it does is written in the last thing the user said."""

import asyncio
from collections.abc import Callable
from random import Random

from bench.agents import FREE, GUARDED, THEIRS
from perdure.content.parts import calls_of, text_of
from perdure.providers.base import ModelRequest, ModelUnavailable
from perdure.testing.scripted import Reply, call, call_raw, fail, say, slowly, wait

KINDS = ("say", "slow", "remember", "guarded", "client", "mixed", "two", "broken", "same", "fail", "odd")


def mind(random: Random) -> Callable[[ModelRequest], Reply]:
    """A model that answers `story <token> <kind>` in the way of its kind, sometimes slowly."""

    def reply(request: ModelRequest) -> Reply:
        if "about to leave your view" in text_of(request.messages[-1].parts):
            return _insert(f"saved-{random.random()}") if random.random() < 0.5 else say("Nothing to save.")
        token, kind, answered = _asked(request)
        chosen = slowly(_reply(token, kind, answered), random.choice((0.0, 0.0, 0.001, 0.004)))
        pause = random.choice((0.0, 0.0, 0.01, 0.05))
        return wait(lambda: asyncio.sleep(pause), chosen) if pause else chosen

    return reply


def _asked(request: ModelRequest) -> tuple[str, str, int]:
    """The token and kind of the last story, and how many answers with calls came after it."""
    answered = 0
    for message in reversed(request.messages):
        answered += bool(calls_of(message.parts))
        if message.role == "user" and text_of(message.parts).startswith("story "):
            _, token, kind = text_of(message.parts).split(" ")
            return token, kind, answered
    return "nothing", "say", answered


def _reply(token: str, kind: str, answered: int) -> Reply:
    if answered >= (2 if kind == "two" else 1):
        return say(f"That is done, {token}.")
    same = '{"label": "notes", "new_string": "<' + token + '>"}'
    kinds = {
        "remember": lambda: _insert(f"{token}-{answered}"),
        "two": lambda: _insert(f"{token}-{answered}"),
        "guarded": lambda: say("May I?") + _append(token),
        "client": lambda: call(THEIRS, which=token),
        "mixed": lambda: _insert(f"{token}-f") + _append(f"{token}-g") + call(THEIRS, which=token),
        "broken": lambda: call_raw(FREE, '{"label": "notes", "new_str'),
        "same": lambda: call_raw(FREE, same, "call_0") + call_raw(FREE, same.replace("<", "<2"), "call_0"),
        "odd": lambda: call_raw("no_such_tool", "[]", "functions.no_such_tool:0"),
        "fail": lambda: fail(ModelUnavailable("The model fell over."), say(f"I was going to {token}")),
        "slow": lambda: slowly(say(f"Slowly I answer {token}."), 0.02),
    }
    return kinds.get(kind, lambda: say(f"I hear {token}."))()


def _insert(words: str) -> Reply:
    return call(FREE, label="notes", new_string=f"<{words}>")


def _append(words: str) -> Reply:
    return call(GUARDED, label="notes", content=f"<{words}>")
