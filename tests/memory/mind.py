"""An agent whose memory tools are called as its loop would call them."""

import json
from dataclasses import dataclass, fields
from typing import Any

from perdure.agents import links
from perdure.agents import store as agents
from perdure.agents.store import AgentRow
from perdure.content.parts import ToolCall, ToolReturn
from perdure.db import Database
from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.memory import store
from perdure.memory.store import BlockRow
from perdure.tenancy.actor import Actor
from perdure.tools.base import ToolContext
from perdure.tools.dispatch import Dispatcher
from perdure.tools.store import by_names


@dataclass
class Mind:
    """An agent, its blocks and its tools."""

    db: Database
    actor: Actor
    agent_id: str
    dispatcher: Dispatcher

    async def add(self, label: str, value: str = "", **values: Any) -> str:
        """Give it a block; returns the id."""

        def work(conn: Any) -> str:
            block = store.create(conn, self.actor, {"label": label, "value": value, **values})
            links.attach_block(conn, self.actor, self.agent_id, block.id)
            return block.id

        return await self.db.write(work)

    async def call(self, name: str, **arguments: Any) -> ToolReturn:
        """Let it call a tool."""
        (row,) = await self.db.read(by_names, self.actor, [name])
        call = ToolCall("call-1", name, json.dumps(arguments))
        return await self.dispatcher.call(self.context(), row, call)

    async def refused(self, name: str, **arguments: Any) -> str:
        """What it is told when a call fails and changes nothing."""
        before = await self.values()
        returned = await self.call(name, **arguments)
        assert returned.status == "error"
        assert returned.stderr[0].startswith(f"Error executing function {name}: ")
        assert await self.values() == before
        return returned.text

    async def values(self) -> dict[str, str]:
        """What its blocks say."""
        blocks = await self.db.read(agents.blocks_of, self.agent_id)
        return {block.label: block.value for block in blocks}

    def context(self) -> ToolContext:
        return ToolContext(self.db, self.actor, self.agent_id, self.agent_id, "run-1", "step-1", links, None)  # type: ignore[arg-type]


async def new_agent(db: Database, actor: Actor) -> str:
    """The id of a new agent without anything."""
    known = {
        "id": new_id("agent"),
        "organization_id": actor.organization_id,
        "name": "test",
        "agent_type": "letta_v1_agent",
        "model": "scripted/x",
        "system": "",
        "timezone": "UTC",
        "tool_rules": [],
        "created_at": now(),
        "updated_at": now(),
    }
    empty = {"dict": {}, "bool": False}
    row = AgentRow(
        **{
            field.name: known.get(field.name, empty.get(str(getattr(field.type, "__name__", field.type))))
            for field in fields(AgentRow)
        }
    )
    await db.write(agents.insert_agent, row)
    return row.id


def block_row(**values: Any) -> BlockRow:
    """A block as it is stored, with these values."""
    at = now()
    nothing: dict[str, Any] = dict.fromkeys(BlockRow.__dataclass_fields__)
    fixed: dict[str, Any] = {
        "id": "block-1",
        "organization_id": "org-1",
        "label": "human",
        "value": "",
        "limit": 100,
        "read_only": False,
        "metadata": {},
        "tags": [],
        "hidden": False,
        "is_template": False,
        "preserve_on_migration": False,
        "version": 1,
        "created_at": at,
        "updated_at": at,
    }
    return BlockRow(**{**nothing, **fixed, **values})
