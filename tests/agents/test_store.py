"""Agents' units of work on both databases."""

import asyncio

import pytest
from sqlalchemy import select, update

from perdure.agents import links, secrets, store
from perdure.agents.create import plan_agent, store_agent
from perdure.agents.schemas.create import CreateAgent
from perdure.agents.schemas.update import UpdateAgent
from perdure.agents.tables import agents, agents_blocks, agents_secrets, agents_tags, agents_tools
from perdure.agents.update import apply_update, plan_change
from perdure.kit.errors import Conflict, NotFound
from perdure.memory import store as memory
from perdure.memory import tools as memory_tools
from perdure.messages.tables import context_entries, messages, threads
from perdure.providers.catalog import Models
from perdure.providers.settings import CatalogSettings
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing, KeyRingError
from perdure.tools.store import sync_builtins
from perdure.tools.tables import tools

ACTOR = Actor()
STRANGER = Actor("org-00000000-0000-4000-8000-000000000001")
RING = KeyRing([b"k" * 32])


@pytest.fixture
def models(database):
    return Models(database, RING, settings=CatalogSettings(detect=False))


@pytest.fixture
async def new(database, models):
    await database.write(sync_builtins, ACTOR.organization_id, memory_tools.TOOLS)

    async def create(given=None, **fields):
        body = CreateAgent.model_validate({"model": "demo/offline"} | fields)
        plan = await plan_agent(models, ACTOR, body, secrets.seal(RING, ACTOR, given or {}))
        return await database.write(store_agent, ACTOR, plan)

    return create


async def test_secrets_are_sealed_for_their_row_alone(database, new):
    agent = await new({"A": "1", "B": "2"})

    def sealed(conn):
        return conn.execute(select(agents_secrets).order_by(agents_secrets.c.key)).all()

    rows = await database.read(sealed)
    place = {"table": "agents_secrets", "organization": agent.organization_id}
    assert [RING.open(row.sealed, row=row.id, **place) for row in rows] == ["1", "2"]
    with pytest.raises(KeyRingError):
        RING.open(rows[0].sealed, row=rows[1].id, **place)


async def test_a_tool_that_asks_by_default_brings_its_rule(database, new, models):
    def ask(conn):
        conn.execute(
            update(tools).where(tools.c.name == "memory_rethink").values(default_requires_approval=True)
        )
        return conn.execute(select(tools.c.id).where(tools.c.name == "memory_rethink")).scalar_one()

    rule = {"type": "requires_approval", "tool_name": "memory_rethink"}
    agent = await new()
    tool_id = await database.write(ask)
    assert (await new(tools=["memory_rethink"])).tool_rules == [rule]
    await database.write(links.attach_tool, ACTOR, agent.id, tool_id)
    assert (await database.read(store.get, ACTOR, agent.id)).tool_rules == [rule]
    other = await new()
    change = await plan_change(models, ACTOR, UpdateAgent(tool_ids=[tool_id]), [])
    await database.write(apply_update, ACTOR, other.id, change)
    assert (await database.read(store.get, ACTOR, other.id)).tool_rules == [rule]


async def test_deleting_an_agent_leaves_no_row_of_its_own(database, new):
    agent = await new({"A": "1"}, tags=["t"], memory_blocks=[{"label": "human", "value": "Ada"}])
    await database.write(store.delete_agent, ACTOR, agent.id)
    own = (
        agents,
        agents_blocks,
        agents_tools,
        agents_tags,
        agents_secrets,
        threads,
        messages,
        context_entries,
    )
    for table in own:
        assert await database.read(lambda conn, table=table: conn.execute(select(table)).all()) == []


async def test_memory_tools_reach_blocks_through_the_links(database, new):
    agent = await new(memory_blocks=[{"label": "b", "value": ""}, {"label": "a", "value": ""}])
    blocks = await database.read(store.blocks_of, agent.id)
    assert await database.read(links.block_ids, agent.id, agent.id) == [block.id for block in blocks]
    taken = await database.write(memory.create, ACTOR, {"label": "a"})
    with pytest.raises(Conflict):
        await database.write(links.attach_block, ACTOR, agent.id, taken.id)


async def test_strangers_cannot_touch_an_agent(database, new):
    agent = await new()
    with pytest.raises(NotFound):
        await database.write(store.update_agent, STRANGER, agent.id, {"name": "x"})
    with pytest.raises(NotFound):
        await database.write(store.delete_agent, STRANGER, agent.id)
    assert await database.read(store.get, ACTOR, agent.id) == agent


async def test_a_run_is_noted_without_counting_as_a_change(database, new):
    agent = await new()
    await database.write(store.record_run, agent.id, stop_reason="end_turn", duration_ms=12)
    noted = await database.read(store.get, ACTOR, agent.id)
    assert (noted.last_stop_reason, noted.last_run_duration_ms) == ("end_turn", 12)
    assert noted.last_run_completion
    assert noted.updated_at == agent.updated_at


async def test_text_no_database_can_hold_is_cleaned(new):
    agent = await new(
        description="a\x00b",
        metadata={"k": ["\x00"]},
        model_settings={"provider_type": "openai", "note": "\x00x"},
        initial_message_sequence=[{"role": "user", "content": "h\x00i"}],
    )
    assert agent.description == "ab"
    assert agent.metadata == {"k": [""]}
    assert agent.model_settings["note"] == "x"


async def test_reasoning_can_be_turned_off_and_on_in_any_spelling(database, new, models):
    agent = await new(
        model_settings={"provider_type": "google_ai", "thinking_config": {"thinking_budget": 0}}
    )
    change = await plan_change(models, ACTOR, UpdateAgent(reasoning=True), [])
    await database.write(apply_update, ACTOR, agent.id, change)
    assert "thinking_config" not in (await database.read(store.get, ACTOR, agent.id)).model_settings
    before = await new(model_settings={"provider_type": "anthropic", "thinking": {"budget_tokens": 9}})
    await database.write(apply_update, ACTOR, before.id, change)
    assert (await database.read(store.get, ACTOR, before.id)).model_settings["thinking"] == {
        "budget_tokens": 9
    }
    cleared = await plan_change(models, ACTOR, UpdateAgent(model_settings=None), [])
    await database.write(apply_update, ACTOR, before.id, cleared)
    assert (await database.read(store.get, ACTOR, before.id)).model_settings == {}


async def test_embeddings_are_kept_by_handle(database, new, models):
    config = {
        "embedding_endpoint_type": "openai",
        "embedding_model": "text-embedding-3-small",
        "embedding_dim": 1536,
    }
    agent = await new(embedding_config=config)
    assert agent.embedding == "openai/text-embedding-3-small"
    change = await plan_change(models, ACTOR, UpdateAgent(embedding=None), [])
    await database.write(apply_update, ACTOR, agent.id, change)
    assert (await database.read(store.get, ACTOR, agent.id)).embedding is None


async def test_changes_at_once_all_count(database, new, models):
    agent = await new()
    names = [f"setting{i}" for i in range(6)]
    bodies = [
        UpdateAgent.model_validate({"model_settings": {"provider_type": "openai", name: 1}}) for name in names
    ]
    changes = [await plan_change(models, ACTOR, body, []) for body in bodies]
    blocks = [await database.write(memory.create, ACTOR, {"label": name}) for name in names]
    await asyncio.gather(
        *(database.write(apply_update, ACTOR, agent.id, change) for change in changes),
        *(database.write(links.attach_block, ACTOR, agent.id, block.id) for block in blocks),
    )
    stored = (await database.read(store.get, ACTOR, agent.id)).model_settings
    assert set(names) < set(stored)
    assert {block.label for block in await database.read(store.blocks_of, agent.id)} == set(names)
