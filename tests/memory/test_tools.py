"""Memory tools as an agent calls them."""

import asyncio
import json

import pytest
from tests.memory.mind import Mind, new_agent

from perdure.agents import links
from perdure.kit.paging import Page
from perdure.memory import store
from perdure.memory.store import BlockFilter
from perdure.memory.tools import TOOLS

EDITS = {
    "memory_insert": {"label": "human", "new_string": "x"},
    "memory_replace": {"label": "human", "old_string": "Ada", "new_string": "x"},
    "memory_rethink": {"label": "human", "new_memory": "x"},
    "core_memory_append": {"label": "human", "content": "x"},
    "core_memory_replace": {"label": "human", "old_content": "Ada", "new_content": "x"},
    "memory_apply_patch": {"label": "human", "patch": "-Ada\n+x"},
    "memory": {"command": "insert", "path": "/memories/human", "insert_text": "x"},
}


async def another(mind: Mind) -> Mind:
    """A second agent of the same organization."""
    return Mind(mind.db, mind.actor, await new_agent(mind.db, mind.actor), mind.dispatcher)


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("memory_insert", {"new_string": "b"}, "Ada\nAda likes tea\nb"),
        ("memory_insert", {"new_string": "b", "insert_line": 0}, "b\nAda\nAda likes tea"),
        ("memory_insert", {"new_string": "b", "insert_line": 1}, "Ada\nb\nAda likes tea"),
        ("memory_replace", {"old_string": "likes tea", "new_string": "naps"}, "Ada\nAda naps"),
        ("memory_rethink", {"new_memory": "new"}, "new"),
        ("core_memory_append", {"content": "b"}, "Ada\nAda likes tea\nb"),
        ("core_memory_replace", {"old_content": "Ada", "new_content": "Bo"}, "Bo\nBo likes tea"),
        ("memory_apply_patch", {"patch": " Ada\n-Ada likes tea\n+b"}, "Ada\nb"),
    ],
)
async def test_an_edit_returns_and_keeps_the_new_value(mind: Mind, name, arguments, value) -> None:
    await mind.add("human", "Ada\nAda likes tea")
    returned = await mind.call(name, label="human", **arguments)
    assert (returned.status, returned.text, returned.stderr) == ("success", value, ())
    assert await mind.values() == {"human": value}


@pytest.mark.parametrize("name", EDITS)
async def test_read_only_blocks_are_left_alone(mind: Mind, name: str) -> None:
    await mind.add("human", "Ada", read_only=True)
    assert "read-only" in await mind.refused(name, **EDITS[name])


@pytest.mark.parametrize("name", [name for name in EDITS if name != "memory_rethink"])
async def test_a_missing_label_lists_those_there_are(mind: Mind, name: str) -> None:
    assert "You have no blocks" in await mind.refused(name, **EDITS[name])
    await mind.add("persona")
    await mind.add("notes")
    text = await mind.refused(name, **EDITS[name])
    assert "no block labelled 'human'. Your blocks are persona, notes." in text


@pytest.mark.parametrize("name", ["memory_insert", "core_memory_append", "memory", "memory_rethink"])
async def test_the_limit_holds_and_tells_by_how_much(mind: Mind, name: str) -> None:
    await mind.add("human", "Ada", limit=10)
    long = {key: "y" * 21 if value == "x" else value for key, value in EDITS[name].items()}
    assert "over its limit of 10" in await mind.refused(name, **long)


@pytest.mark.parametrize("name", [name for name in EDITS if not name.startswith("core_")])
async def test_line_numbers_are_refused(mind: Mind, name: str) -> None:
    await mind.add("human", "Ada")
    arguments = {
        key: {"x": "1→ x", "-Ada\n+x": "-Ada\n+1→ x"}.get(value, value) for key, value in EDITS[name].items()
    }
    assert "line numbers" in await mind.refused(name, **arguments)


async def test_rethinking_a_block_that_is_not_there_makes_it(mind: Mind) -> None:
    assert (await mind.call("memory_rethink", label="plans", new_memory="Oslo")).text == "Oslo"
    assert await mind.values() == {"plans": "Oslo"}
    assert "cannot be a label" in await mind.refused("memory_rethink", label="my plans", new_memory="")


async def test_finishing_returns_none(mind: Mind) -> None:
    returned = await mind.call("memory_finish_edits")
    assert (returned.status, returned.text) == ("success", "None")


async def test_memory_makes_changes_renames_and_drops_blocks(mind: Mind) -> None:
    async def told(**arguments: object) -> str:
        returned = await mind.call("memory", **arguments)
        assert returned.status == "success", returned.text
        return returned.text

    path = "/memories/trips"
    await told(command="create", path=path, file_text="Oslo", description="Trips.")
    assert await told(command="insert", path=path, insert_text="Rome") == "Oslo\nRome"
    assert await told(command="insert", path=path, insert_text="0", insert_line=0) == "0\nOslo\nRome"
    assert await told(command="str_replace", path=path, old_string="0\n", new_string="") == "Oslo\nRome"
    await told(command="rename", path=path, description="Where to.")
    await told(command="rename", old_path=path, new_path="/memories/places")
    (block,) = await mind.db.read(store.list_, mind.actor, Page())
    assert (block.label, block.value, block.description) == ("places", "Oslo\nRome", "Where to.")
    await told(command="delete", path="places")
    assert await mind.values() == {}
    assert (await mind.db.read(store.get, mind.actor, block.id)).value == "Oslo\nRome"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"command": "create", "path": "/memories/human"}, "already have a block labelled 'human'"),
        ({"command": "create", "path": "/memories/my human"}, "cannot be a label"),
        ({"command": "create"}, "needs path"),
        ({"command": "create", "path": "/human"}, "must be /memories/ and the block's label"),
        ({"command": "delete", "path": "/memories/gone"}, "no block labelled 'gone'"),
        ({"command": "insert", "path": "/memories/human"}, "needs insert_text"),
        ({"command": "str_replace", "path": "/memories/human"}, "needs old_string"),
        ({"command": "rename", "path": "/memories/human"}, "needs old_path"),
        ({"command": "rename", "old_path": "human", "new_path": "persona"}, "already have a block labelled"),
        ({"command": "rename", "old_path": "human", "new_path": "a b"}, "cannot be a label"),
        ({"command": "view", "path": "/memories/human"}, "'command' must be one of"),
        ({"command": "insert", "path": "human", "inserted_text": ""}, "unknown parameter 'inserted_text'"),
    ],
)
async def test_a_command_that_cannot_be_obeyed_says_why(mind: Mind, arguments, words) -> None:
    await mind.add("human", "Ada")
    await mind.add("persona", "I")
    assert words in await mind.refused("memory", **arguments)


async def test_a_patch_of_several_blocks_says_what_it_did(mind: Mind) -> None:
    await mind.add("human", "a")
    await mind.add("scratch", "s")
    patch = (
        "*** Add Block: trips\n+Oslo\n*** Update Block: human\n*** Move to: person\n-a\n+b\n"
        "*** Delete Block: scratch"
    )
    returned = await mind.call("memory_apply_patch", label="", patch=patch)
    assert json.loads(returned.text) == [
        "Added block trips.",
        "Updated block human, now called person.",
        "Deleted block scratch.",
    ]
    assert await mind.values() == {"trips": "Oslo", "person": "b"} or await mind.values() == {
        "person": "b",
        "trips": "Oslo",
    }
    assert (await mind.call("memory_apply_patch", label="", patch="*** Update Block: person\n+c")).text == (
        '["Updated block person."]'
    )
    await mind.call("memory_apply_patch", label="", patch="*** Update Block: person\n*** Move to: human\n\n")
    assert (await mind.values())["human"] == "b\nc"


async def test_a_patch_is_applied_whole_or_not_at_all(mind: Mind) -> None:
    await mind.add("human", "a")
    patch = "*** Update Block: human\n-a\n+b\n*** Delete Block: gone"
    assert "'gone'" in await mind.refused("memory_apply_patch", label="", patch=patch)


async def test_two_agents_who_share_a_block_both_keep_what_they_add(mind: Mind) -> None:
    block_id = await mind.add("shared", "start")
    other = await another(mind)
    await mind.db.write(links.attach_block, mind.actor, other.agent_id, block_id)
    await asyncio.gather(
        *(
            who.call("memory_insert", label="shared", new_string=f"{name}{i}")
            for who, name in ((mind, "a"), (other, "b"))
            for i in range(5)
        )
    )
    lines = (await mind.values())["shared"].split("\n")
    assert lines[0] == "start"
    assert sorted(lines[1:]) == sorted(f"{name}{i}" for name in "ab" for i in range(5))
    assert (await mind.db.read(store.get, mind.actor, block_id)).version == 11


async def test_renaming_a_shared_block_into_a_label_another_agent_has_is_refused(mind: Mind) -> None:
    block_id = await mind.add("shared", "start")
    other = await another(mind)
    await mind.db.write(links.attach_block, mind.actor, other.agent_id, block_id)
    await other.add("taken")
    text = await mind.refused("memory", command="rename", old_path="shared", new_path="taken")
    assert "already has another one labelled 'taken'" in text


async def test_unstorable_characters_are_dropped(mind: Mind) -> None:
    await mind.add("human", "")
    assert (await mind.call("memory_insert", label="human", new_string="a\x00\ud800b")).text == "ab"


async def test_a_failed_creation_leaves_no_block_behind(mind: Mind) -> None:
    await mind.add("human")
    await mind.refused("memory", command="create", path="/memories/human", file_text="x")
    assert await mind.db.read(store.count, mind.actor, BlockFilter(show_hidden=True)) == 1


def test_the_tools_have_their_parameters_and_types() -> None:
    parameters = {tool.name: tool.schema["parameters"] for tool in TOOLS}
    required = {name: schema["required"] for name, schema in parameters.items()}
    assert required == {
        "memory_insert": ["label", "new_string"],
        "memory_replace": ["label", "old_string", "new_string"],
        "memory_rethink": ["label", "new_memory"],
        "memory_finish_edits": [],
        "core_memory_append": ["label", "content"],
        "core_memory_replace": ["label", "old_content", "new_content"],
        "memory": ["command"],
        "memory_apply_patch": ["label", "patch"],
        "rethink_user_memory": ["new_memory"],
        "finish_rethinking_memory": [],
    }
    assert {tool.name: tool.kind for tool in TOOLS if tool.name.startswith("memory_")} == {
        "memory_insert": "letta_sleeptime_core",
        "memory_replace": "letta_sleeptime_core",
        "memory_rethink": "letta_sleeptime_core",
        "memory_finish_edits": "letta_sleeptime_core",
        "memory_apply_patch": "letta_memory_core",
    }
    assert set(parameters["memory"]["properties"]) == {
        "command",
        "path",
        "file_text",
        "description",
        "old_string",
        "new_string",
        "insert_line",
        "insert_text",
        "old_path",
        "new_path",
    }


async def test_what_is_known_of_the_person_is_written_anew(mind: Mind) -> None:
    await mind.add("human", "Ada")
    assert (await mind.call("rethink_user_memory", new_memory="Ada, of Bergen.")).text == "Ada, of Bergen."
    assert (await mind.call("finish_rethinking_memory")).text == "None"
    assert await mind.values() == {"human": "Ada, of Bergen."}
    assert "line numbers" in await mind.refused("rethink_user_memory", new_memory="1→ Ada")
