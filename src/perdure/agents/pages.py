"""An agent's blocks and tools, a page of them, ordered by when they were attached."""

from sqlalchemy import Connection, select

from perdure.agents import store
from perdure.agents.tables import agents_blocks, agents_tools
from perdure.db.rows import picked
from perdure.kit.paging import Page, paginate
from perdure.memory.store import BlockRow
from perdure.memory.tables import blocks
from perdure.tenancy.actor import Actor
from perdure.tools.store import ToolRow
from perdure.tools.tables import tools


def blocks_page(conn: Connection, actor: Actor, agent_id: str, page: Page) -> list[BlockRow]:
    """A page of the agent's blocks."""
    store.get(conn, actor, agent_id)
    query = (
        select(blocks)
        .join(agents_blocks, agents_blocks.c.block_id == blocks.c.id)
        .where(agents_blocks.c.agent_id == agent_id)
    )
    rows = paginate(conn, query, page, key=agents_blocks.c.position, id=blocks.c.id)
    return [picked(BlockRow, row) for row in rows]


def tools_page(conn: Connection, actor: Actor, agent_id: str, page: Page) -> list[ToolRow]:
    """A page of the agent's tools."""
    store.get(conn, actor, agent_id)
    query = (
        select(tools)
        .join(agents_tools, agents_tools.c.tool_id == tools.c.id)
        .where(agents_tools.c.agent_id == agent_id)
    )
    rows = paginate(conn, query, page, key=agents_tools.c.position, id=tools.c.id)
    return [picked(ToolRow, row) for row in rows]
