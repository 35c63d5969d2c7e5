"""The first messages of each kind of agent."""

import json

from perdure.agents.boot import first_messages
from perdure.agents.schemas.messages import FirstMessage
from perdure.content.parts import Text, calls_of, returns_of
from perdure.kit.clock import now


def test_new_types_start_silent():
    assert first_messages("letta_v1_agent", None, now(), "UTC") == []
    assert first_messages("sleeptime_agent", None, now(), "UTC") == []


def test_older_types_have_spoken_once_and_seen_a_login():
    spoken, back, login = first_messages("memgpt_agent", None, now(), "UTC")
    assert calls_of(spoken.parts)[0].name == "send_message"
    assert returns_of(back.parts)[0].call_id == calls_of(spoken.parts)[0].id
    assert isinstance(login.parts[0], Text)
    assert json.loads(login.parts[0].text)["type"] == "login"


def test_given_messages_take_the_form_the_type_speaks():
    given = [
        FirstMessage.model_validate(
            {"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "ada"}
        ),
        FirstMessage.model_validate({"role": "assistant", "content": "Hello"}),
    ]
    plain = first_messages("letta_v1_agent", given, now(), "UTC")
    assert [draft.role for draft in plain] == ["user", "assistant"]
    assert plain[0].name == "ada"
    old = first_messages("memgpt_agent", given, now(), "UTC")
    assert [draft.role for draft in old] == ["user", "assistant", "tool"]
    assert first_messages("memgpt_agent", [], now(), "UTC") == []
