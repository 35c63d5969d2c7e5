"""The first messages of an agent, after its system message."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import orjson

from perdure.agents.schemas.messages import FirstMessage
from perdure.content.parts import Part, Text, ToolCall, ToolReturn, text_of
from perdure.messages.store import Draft
from perdure.tools.envelope import spelled

PLAIN_TYPES = ("letta_v1_agent", "sleeptime_agent", "voice_sleeptime_agent")
GREETING = "Hello, it is good to meet you. What can I do for you?"


def first_messages(
    agent_type: str, given: Sequence[FirstMessage] | None, at: datetime, timezone: str
) -> list[Draft]:
    """The messages given, else the boot sequence of the older agent types, else none."""
    if given is not None:
        return [draft for message in given for draft in _given(agent_type, message)]
    if agent_type in PLAIN_TYPES:
        return []
    login = {"type": "login", "last_login": "never before", "time": spelled(at, timezone)}
    return [*_spoken(GREETING), Draft("user", (Text(orjson.dumps(login).decode()),))]


def _given(agent_type: str, message: FirstMessage) -> list[Draft]:
    parts = message.parts()
    if message.role == "assistant" and agent_type not in PLAIN_TYPES:
        return _spoken(text_of(parts))
    return [
        Draft(
            message.role,
            parts,
            name=message.name,
            otid=message.otid,
            sender_id=message.sender_id,
            group_id=message.group_id,
        )
    ]


def _spoken(text: str) -> list[Draft]:
    """How the older types speak: by calling `send_message`, which returns."""
    call = ToolCall(f"call_{uuid4().hex[:24]}", "send_message", orjson.dumps({"message": text}).decode())
    said: tuple[Part, ...] = (call,)
    back = ToolReturn(call.id, call.name, "The message was delivered.")
    return [Draft("assistant", said), Draft("tool", (back,))]
