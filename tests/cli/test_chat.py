"""`perdure chat` as a person uses it, line by line."""

import io
import sys

import pytest

from perdure.cli.api import Api
from perdure.cli.chat import Conversation
from perdure.cli.screen import open_console
from perdure.providers.base import ModelUnavailable
from perdure.testing.scripted import call, fail, say, think


@pytest.fixture
def chat(perdure, live, api_key, monkeypatch):
    """A chat with the live server: lines in, everything shown out."""

    def talk(*lines, agent=None, fails=False, key=api_key):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        options = ["--url", live.url, *(["--key", key] if key else [])]
        said = perdure("chat", *([agent] if agent else []), *options, fails=fails)
        return said.stderr if fails else said.stdout

    return talk


def test_an_agent_is_made_and_remembers(chat):
    said = chat("I live in Oslo.", "/memory", "Where do I live?", "/quit", agent="Nova")
    assert "There is no agent named Nova yet, so this is a new one." in said
    assert "you › I live in Oslo." in said
    assert '⚙ memory_insert(label="human", new_string="Lives in: Oslo")' in said
    assert "│ Lives in: Oslo" in said
    assert "Nova › You live in Oslo." in said


def test_the_newest_agent_is_taken_when_none_is_named(chat, client):
    client.agents.create(name="Old")
    client.agents.create(name="New")
    assert chat().startswith("New · demo/offline")
    assert chat(agent="Old").startswith("Old · ")


def test_thoughts_calls_and_failures_are_shown(chat, client, scripted, model_name):
    broken = fail(ModelUnavailable("the provider is away", provider="scripted"))
    handle = scripted.script(
        model_name, think("Hm.") + call("conversation_search", query="tea"), say("No tea [yet]."), broken
    )
    agent = client.agents.create(name="Nova", model=handle)
    lines = chat("Tea?", "And now?", agent=agent.id).splitlines()
    assert "Hm." in lines
    assert '⚙ conversation_search(query="tea")' in lines
    assert "Nova › No tea [yet]." in lines
    assert any("the provider is away" in line for line in lines)


def test_commands_list_switch_and_change(chat, client):
    client.agents.create(name="Old")
    said = chat(
        "/new Rosa", "/agents", "/agent Old", "/model", "/model demo/other", "/nope", "/agent nobody", "/help"
    )
    assert "Rosa · demo/offline" in said
    assert "› Rosa" in said
    assert "Old uses demo/offline" in said
    assert "Old uses demo/other" in said
    assert "There is no command /nope" in said
    assert "There is no agent named 'nobody'." in said
    assert "/quit" in said


def test_what_the_server_refuses_is_said_and_the_chat_goes_on(chat):
    said = chat("/model nobody/gpt", "Hello!")
    assert "no provider is named 'nobody'" in said
    assert "› Hello! " in said


def test_a_missing_key_is_explained(chat):
    said = chat(key=None, fails=True)
    assert "this server wants a key" in said
    assert "--key or PERDURE_API_KEY" in said


def test_without_a_server_it_says_how_to_start_one(perdure):
    said = perdure("chat", "--url", "http://127.0.0.1:9", fails=True).stderr
    assert said.startswith("perdure: No server answers at http://127.0.0.1:9.")
    assert "perdure serve" in said
    assert "is not the URL" in perdure("chat", "--url", "nonsense", fails=True).stderr


def test_ctrl_c_stops_the_answer_not_the_chat(client, live, api_key, capsys):
    agent = client.agents.create(name="Nova")
    with Api(live.url, api_key) as api:
        conversation = Conversation(open_console(), api, {"id": agent.id, "name": agent.name})
        conversation.console.print = _interrupted_once(conversation.console.print)
        conversation.say("Hello!")
        conversation.say("My name is Ann.")
    said = capsys.readouterr().out
    assert "(stopped)" in said
    assert "your name is Ann" in said


def test_the_person_is_asked_about_calls_that_wait(client, live, api_key, chat, scripted, model_name):
    edit = call("memory_insert", label="human", new_string="Likes tea.")
    rule = {"type": "requires_approval", "tool_name": "memory_insert"}
    handle = scripted.script(model_name, edit, say("Noted."), edit, say("As you like."))
    block = {"label": "human", "value": "Name unknown."}
    agent = client.agents.create(name="Nova", model=handle, tool_rules=[rule], memory_blocks=[block])
    said = chat("I like tea.", "y", "I like milk.", "no", "/memory")
    assert "Let it call memory_insert? [y/N]" in said
    assert "Noted." in said
    assert "As you like." in said
    memory = client.agents.blocks.retrieve("human", agent_id=agent.id).value
    assert memory.count("Likes tea.") == 1


def _interrupted_once(show):
    fired = False

    def interrupted(*args, **options):
        nonlocal fired
        if not fired:
            fired = True
            raise KeyboardInterrupt
        return show(*args, **options)

    return interrupted


def test_embedded_it_brings_its_own_server(perdure, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("My name is Ann.\nWhat is my name?\n"))
    perdure.env["PATH"] = "/usr/bin:/bin"
    said = perdure("chat", "--embedded").stdout
    assert "Your name is Ann." in said
    assert (perdure.home / "perdure.db").exists()
