"""Agents search what was said."""
# pyright: basic

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perdure.agents import links
from perdure.content.parts import Text, ToolCall, ToolReturn
from perdure.kit.clock import now
from perdure.messages import store, tools
from perdure.messages.store import Draft
from perdure.messages.tools import TOOLS, ago
from perdure.tools.base import ToolContext
from perdure.tools.dispatch import Dispatcher
from perdure.tools.store import by_names, sync_builtins

DAYS = [datetime(2026, 3, day, 22, 30, tzinfo=UTC) for day in (28, 29, 30)]


@pytest.fixture
async def search(shared_database, actor, agent_id, monkeypatch):
    """Says some things on three days, then searches as the agent."""
    db = shared_database
    said = [
        (DAYS[0], Draft("user", (Text("I like green tea and Äpfel"),))),
        (DAYS[0], Draft("assistant", (Text("Noted: TEA"),))),
        (DAYS[1], Draft("user", (Text("100% sure about the green_tea"),))),
        (DAYS[1], Draft("assistant", (ToolCall("c", "send_message", '{"message": "Aloud: coffee"}'),))),
        (DAYS[1], Draft("tool", (ToolReturn("c", "lookup", "coffee costs 3"),))),
        (DAYS[2], Draft("user", (Text("what about tea now?"),), run_id="run-now")),
    ]
    for at, draft in said:
        monkeypatch.setattr(store, "now", lambda at=at: at)
        thread = await db.read(store.get_thread, actor, agent_id)
        await db.write(store.append, thread, [draft])
    monkeypatch.undo()
    await db.write(sync_builtins, actor.organization_id, TOOLS)
    rows = {tool.name: tool for tool in await db.read(by_names, actor, [tool.name for tool in TOOLS])}

    async def call(
        zone: str = "UTC", name: str = "conversation_search", whole: bool = False, **arguments: Any
    ) -> Any:
        ctx = ToolContext(db, actor, agent_id, agent_id, "run-now", "step-1", links, None, zone)  # type: ignore[arg-type]
        asked = ToolCall("c", name, json.dumps(arguments))
        returned = await Dispatcher(TOOLS).call(ctx, rows[name], asked)
        if returned.status == "error":
            return returned.text
        results = json.loads(returned.text)["results"]
        return results if whole else [result["content"] for result in results]

    return call


@pytest.fixture(autouse=True)
def _early_prompt(monkeypatch):
    """The first message of the thread is older than all the others."""
    monkeypatch.setattr(store, "now", lambda: DAYS[0] - timedelta(days=1))


async def test_the_best_match_comes_first(search):
    assert await search(query="green tea") == [
        "I like green tea and Äpfel",
        "100% sure about the green_tea",
        "Noted: TEA",
    ]
    assert await search(query="tea", limit=1) == ["Noted: TEA"]
    assert await search(query="zebra") == []


async def test_a_hit_comes_with_what_was_said_around_it(search):
    [hit] = await search(query="sure", whole=True)
    assert (hit["said_before"], hit["said_after"]) == ("assistant: Noted: TEA", "assistant: Aloud: coffee")
    [last] = await search(query="cost", roles=["tool"], whole=True)
    assert "said_after" not in last, "what is being said now is no news"
    assert [each["content"] for each in await search(query="notes", whole=True)] == ["Noted: TEA"]


async def test_case_is_no_matter_in_any_script(search):
    assert await search(query="äpfel") == ["I like green tea and Äpfel"]
    assert await search(query="ÄPFEL") == ["I like green tea and Äpfel"]


async def test_signs_are_no_wildcards(search):
    assert await search(query="%") == await search()
    assert await search(query="100% _") == ["100% sure about the green_tea"]


async def test_roles_choose_whose_words(search):
    assert await search(query="tea", roles=["assistant"]) == ["Noted: TEA"]
    assert await search(query="coffee", roles=["tool"]) == ["coffee costs 3"]


async def test_words_said_through_a_tool_are_found(search):
    assert await search(query="coffee") == ["Aloud: coffee"]


async def test_days_are_whole_and_those_of_the_agent(search):
    assert len(await search(start_date="2026-03-29")) == 2
    assert len(await search(end_date="2026-03-28")) == 2
    assert len(await search(start_date="2026-03-29", end_date="2026-03-29")) == 2
    assert await search("Europe/Berlin", start_date="2026-03-30", end_date="2026-03-30") == [
        "Aloud: coffee",
        "100% sure about the green_tea",
    ]
    assert len(await search(start_date="2026-03-28T22:00:00+00:00", end_date="2026-03-28T23:00")) == 2
    assert "no date such as" in await search(start_date="yesterday")


async def test_an_agent_that_speaks_looks_for_words_in_the_last_minutes(search, monkeypatch):
    async def earlier(**arguments):
        return await search(name="search_memory", **arguments)

    monkeypatch.setattr(tools, "now", lambda: DAYS[1] + timedelta(minutes=10))
    assert await earlier(convo_keyword_queries=["green tea", "apples"], start_minutes_ago=15) == [
        "100% sure about the green_tea"
    ]
    assert await earlier(convo_keyword_queries=["tea"], end_minutes_ago=15) == [
        "Noted: TEA",
        "I like green tea and Äpfel",
    ]
    assert len(await earlier()) == 4
    assert "longer than time" in await earlier(start_minutes_ago=10**12)


def test_spans_are_told_in_words():
    spans = {"seconds": 5, "minutes": 1, "hours": 3, "days": 2}
    told = [ago(timedelta(**{unit: count})) for unit, count in spans.items()]
    assert told == ["just now", "1 minute ago", "3 hours ago", "2 days ago"]
    assert ago(now() - now() - timedelta(hours=1)) == "just now"
