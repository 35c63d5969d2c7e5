"""Finding what was said by its words, with the official client and over plain HTTP."""
# pyright: basic, reportAttributeAccessIssue=false

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from letta_client import BadRequestError, Letta, UnprocessableEntityError

from perdure.content.parts import Text
from perdure.kit.ids import new_id
from perdure.messages import store
from perdure.messages.fork import fork_thread
from perdure.messages.search import Search, search, surroundings
from perdure.messages.store import Draft
from perdure.testing.scripted import ScriptedModel, call, say


def found(client: Letta, query: str, **options: Any) -> list[Any]:
    results = client.messages.search(query=query, **options)
    return [(item.message_type, item.content) for item in results]


@pytest.fixture
def told(client: Letta, scripted: ScriptedModel, model_name: str) -> str:
    """An agent that was told of a cat and a dog."""
    handle = scripted.script(model_name, say("A fine cat."), say("Dogs bark."))
    agent = client.agents.create(model=handle, system="You know every cat.").id
    client.agents.messages.create(agent, input="My CAT is black")
    client.agents.messages.create(agent, input="My dog and my cat sleep")
    return agent


def test_what_has_the_words_is_found_the_best_first(client: Letta, told: str) -> None:
    assert found(client, "black cat") == [
        ("user_message", "My CAT is black"),
        ("assistant_message", "A fine cat."),
        ("user_message", "My dog and my cat sleep"),
    ]
    assert found(client, "bird") == []


def test_a_result_says_where_and_when(client: Letta, told: str) -> None:
    (item,) = client.messages.search(query="bark")
    (said,) = [m for m in client.agents.messages.list(told) if m.id == item.message_id]
    assert (item.agent_id, item.conversation_id) == (told, None)
    assert (said.content, said.date) == ("Dogs bark.", item.created_at)


def test_the_compiled_prompt_was_said_by_nobody(client: Letta, http: httpx.Client, told: str) -> None:
    assert all(kind != "system_message" for kind, _ in found(client, "cat"))
    client.agents.messages.create(told, messages=[{"role": "system", "content": "The cat is gone"}])
    assert ("system_message", "The cat is gone") in found(client, "cat")


def test_what_is_asked_for_bounds_what_is_found(
    client: Letta, scripted: ScriptedModel, model_name: str, told: str
) -> None:
    other = client.agents.create(model=scripted.script(f"{model_name}-2", say("meow"))).id
    client.agents.messages.create(other, input="another cat")
    assert found(client, "cat", agent_id=other) == [("user_message", "another cat")]
    assert len(found(client, "cat", limit=2)) == 2
    first, *_, last = sorted(client.messages.search(query="cat"), key=lambda item: item.created_at)
    assert len(found(client, "cat", end_date=first.created_at)) == 1
    assert len(found(client, "cat", start_date=last.created_at)) == 1
    moment = first.created_at + timedelta(microseconds=1)
    assert len(found(client, "cat", start_date=moment.astimezone(UTC).replace(tzinfo=None))) == 3


def test_a_conversation_is_searched_by_itself(
    client: Letta, scripted: ScriptedModel, model_name: str, told: str
) -> None:
    conversation = client.conversations.create(agent_id=told).id
    list(client.conversations.messages.create(conversation, input="a cat apart"))
    assert found(client, "cat", conversation_id=conversation) == [("user_message", "a cat apart")]
    (item,) = client.messages.search(query="apart")
    assert item.conversation_id == conversation
    default = found(client, "cat", conversation_id="default", agent_id=told)
    assert ("user_message", "a cat apart") not in default
    assert len(default) == 3


def test_what_older_agents_say_is_found(client: Letta, scripted: ScriptedModel, model_name: str) -> None:
    spoken = call("send_message", message="Über den Wolken")
    agent = client.agents.create(model=scripted.script(model_name, spoken), agent_type="memgpt_v2_agent").id
    client.agents.messages.create(agent, input="hi")
    assert found(client, "über wolken") == [("assistant_message", "Über den Wolken")]


def test_nobody_finds_the_words_of_others(client: Letta, live: Any, new_key: Any, told: str) -> None:
    with Letta(base_url=live.url, api_key=new_key(), max_retries=0) as stranger:
        assert found(stranger, "cat") == []
        assert found(stranger, "cat", agent_id=told) == []


def test_what_cannot_be_searched_is_said(client: Letta) -> None:
    with pytest.raises(BadRequestError, match="search_mode"):
        client.messages.search(query="cat", search_mode="vector")
    with pytest.raises(UnprocessableEntityError, match="limit"):
        client.messages.search(query="cat", limit=101)


def test_stored_messages_come_with_their_ranks(
    http: httpx.Client, client: Letta, scripted: ScriptedModel, model_name: str
) -> None:
    looked = say("Let me see.") + call("conversation_search", query="cats")
    agent = client.agents.create(model=scripted.script(model_name, looked, say("No cats."))).id
    client.agents.messages.create(agent, input="Any cats?")
    body = {"query": "cats", "agent_id": agent, "search_mode": "fts"}
    results = http.post("/v1/agents/messages/search", json=body).json()
    assert [(r["message"]["role"], r["embedded_text"]) for r in results] == [
        ("assistant", "No cats."),
        ("user", "Any cats?"),
    ]
    assert [r["fts_rank"] for r in results] == [1, 2]
    assert results[0]["rrf_score"] >= results[1]["rrf_score"] > 0
    assert results[0]["vector_rank"] is None
    assert results[1]["message"]["content"] == [{"type": "text", "text": "Any cats?", "signature": None}]
    everything = http.post(
        "/v1/agents/messages/search", json={"agent_id": agent, "roles": ["assistant", "tool"]}
    )
    latest, returned, called = [r["message"] for r in everything.json()]
    assert (latest["role"], returned["role"], called["role"]) == ("assistant", "tool", "assistant")
    (one,) = called["tool_calls"]
    (back,) = returned["tool_returns"]
    assert (one["function"]["name"], back["tool_call_id"], back["status"]) == (
        "conversation_search",
        one["id"],
        "success",
    )


async def test_dates_words_and_runs_bound_a_search(shared_database, actor, agent_id) -> None:
    thread = await shared_database.read(store.get_thread, actor, agent_id)
    runs = (None, None, "run-1", None)
    drafts = [Draft("user", (Text(f"word 100% no{i}"),), run_id=run) for i, run in enumerate(runs)]
    _, rows = await shared_database.write(store.append, thread, drafts)

    async def texts(**wanted: Any) -> list[str]:
        found = await shared_database.read(search, actor, Search(**{"agent_id": agent_id, **wanted}))
        return [each.row.parts[0].text[-1] for each in found]

    assert set(await texts(query="word")) == {"3", "2", "1", "0"}
    assert await texts() == ["3", "2", "1", "0"]
    assert (await texts(query="word no1"))[0] == "1"
    assert await texts(except_run="run-1") == ["3", "1", "0"]
    assert await texts(start=rows[1].created_at, end=rows[3].created_at) == ["2", "1"]
    assert await texts(query="w_rd") == []
    assert await texts(thread_id=agent_id, limit=1) == ["3"]
    assert await texts(thread_id="conv-none") == []
    assert await texts(roles=("system",)) == []
    assert await texts(end=datetime(2020, 1, 1, tzinfo=UTC)) == []


async def test_a_fork_finds_what_it_shares_and_what_was_said_around_it(
    shared_database, actor, agent_id
) -> None:
    db = shared_database
    thread = await db.read(store.get_thread, actor, agent_id)
    said = [Draft("user", (Text(text),)) for text in ("hello", "my zebra is ill", "poor thing")]
    thread, rows = await db.write(store.append, thread, said)
    fork_id, until = new_id("conv"), rows[1].id
    await db.write(
        fork_thread, actor, thread, fork_id, system_text="You know zebras.", fingerprint="f", until=until
    )
    wanted = Search("zebras", agent_id=agent_id, thread_id=fork_id)
    [found] = await db.read(search, actor, wanted)
    assert found.row.id == rows[1].id
    near = await db.read(surroundings, actor, wanted, [found.row.id])
    before, after = near[found.row.id]
    assert (before.id, after) == (rows[0].id, None), "what came later was not said here"
