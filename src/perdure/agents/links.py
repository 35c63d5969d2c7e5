"""Which blocks and tools an agent has: attach, detach, replace. Order is the order of attaching.

Satisfies `tools.base.BlockLinks`: memory tools reach an agent's blocks through this module.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Table, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from perdure.agents import past, store
from perdure.agents.base_tools import approval_rules, with_rules
from perdure.agents.groups import store as groups
from perdure.agents.isolated import blocks_in, is_isolated
from perdure.agents.tables import agents_blocks, agents_tools
from perdure.kit.errors import Conflict, Forbidden, InvalidArgument, NotFound, Unprocessable
from perdure.memory.tables import blocks
from perdure.tenancy.actor import Actor, owned
from perdure.tools import store as tools


def block_ids(conn: Connection, agent_id: str, thread_id: str) -> Sequence[str]:
    """The blocks an agent sees in a thread: a conversation may have its own in place of some."""
    if thread_id != agent_id:
        return [block.id for block in blocks_in(conn, agent_id, thread_id)]
    query = select(agents_blocks.c.block_id).where(agents_blocks.c.agent_id == agent_id)
    return list(conn.execute(query.order_by(agents_blocks.c.position)).scalars())


def attach_block(conn: Connection, actor: Actor, agent_id: str, block_id: str) -> None:
    """Attach a block after the agent's others; nothing happens if it is attached already."""
    store.get(conn, actor, agent_id, to_change=True)
    label = _labels(conn, actor, [block_id])[block_id]
    attached = dict(
        conn.execute(
            select(agents_blocks.c.label, agents_blocks.c.block_id).where(
                agents_blocks.c.agent_id == agent_id
            )
        ).all()
    )
    if attached.get(label) == block_id:
        return
    if label in attached:
        raise _label_taken(agent_id, label, attached[label])
    position = _next(conn, agents_blocks, agent_id)
    row = {"agent_id": agent_id, "block_id": block_id, "label": label, "position": position}
    try:
        conn.execute(insert(agents_blocks).values(row))
    except IntegrityError as error:
        raise _label_taken(agent_id, label) from error
    past.note(conn, agent_id)
    _share(conn, actor, agent_id, list(attached.values()))


def detach_block(conn: Connection, actor: Actor, agent_id: str, block_id: str) -> None:
    """Detach a block, which stays; `NotFound` if the agent does not have it."""
    store.get(conn, actor, agent_id, to_change=True)
    if actor.tool_of:
        _check_releasable(conn, actor, [block_id])
    had = block_ids(conn, agent_id, agent_id)
    mine = (agents_blocks.c.agent_id == agent_id) & (agents_blocks.c.block_id == block_id)
    if conn.execute(delete(agents_blocks).where(mine)).rowcount == 0:
        if is_isolated(conn, agent_id, block_id):
            raise Conflict(f"Block {block_id} is a conversation's own: it cannot be detached, only emptied.")
        raise NotFound(f"Block {block_id} is not attached to agent {agent_id}.")
    past.note(conn, agent_id)
    _share(conn, actor, agent_id, had)


def set_blocks(conn: Connection, actor: Actor, agent_id: str, ids: Sequence[str]) -> None:
    """Make these the agent's blocks, in this order."""
    wanted = list(dict.fromkeys(ids))
    labels = _labels(conn, actor, wanted)
    if len(set(labels.values())) < len(wanted):
        doubles = sorted({label for label in labels.values() if list(labels.values()).count(label) > 1})
        raise Unprocessable(
            f"block_ids: an agent has one block of each label, and several are labelled {', '.join(doubles)}."
        )
    had = block_ids(conn, agent_id, agent_id)
    if actor.tool_of:
        _check_releasable(conn, actor, {*had} - {*wanted})
    conn.execute(delete(agents_blocks).where(agents_blocks.c.agent_id == agent_id))
    rows = [
        {"agent_id": agent_id, "block_id": block_id, "label": labels[block_id], "position": at}
        for at, block_id in enumerate(wanted)
    ]
    if rows:
        conn.execute(insert(agents_blocks), rows)
    past.note(conn, agent_id)
    _share(conn, actor, agent_id, had)


def attach_tool(conn: Connection, actor: Actor, agent_id: str, tool_id: str) -> None:
    """Attach a tool after the others; one that asks for approval by default brings the rule along."""
    agent = store.get(conn, actor, agent_id, to_change=True)
    tool = tools.get(conn, actor, tool_id)
    mine = (agents_tools.c.agent_id == agent_id) & (agents_tools.c.tool_id == tool_id)
    if conn.execute(select(agents_tools.c.tool_id).where(mine)).first():
        return
    position = _next(conn, agents_tools, agent_id)
    conn.execute(insert(agents_tools).values(agent_id=agent_id, tool_id=tool_id, position=position))
    if tool.default_requires_approval:
        rules = with_rules(agent.tool_rules, approval_rules([(tool.name, True)]))
        store.update_agent(conn, actor, agent_id, {"tool_rules": rules})


def detach_tool(conn: Connection, actor: Actor, agent_id: str, tool_id: str) -> None:
    """Detach a tool; nothing happens if it was not attached. Its rules wait for its return."""
    store.get(conn, actor, agent_id, to_change=True)
    tools.get(conn, actor, tool_id)
    mine = (agents_tools.c.agent_id == agent_id) & (agents_tools.c.tool_id == tool_id)
    conn.execute(delete(agents_tools).where(mine))


def set_tools(conn: Connection, actor: Actor, agent_id: str, ids: Sequence[str]) -> None:
    """Make these the agent's tools, in this order."""
    wanted = list(dict.fromkeys(ids))
    known = {tool.id for tool in tools.by_ids(conn, actor, wanted)}
    if missing := [tool_id for tool_id in wanted if tool_id not in known]:
        raise InvalidArgument(f"tool_ids: there is no tool {', '.join(missing)}.")
    conn.execute(delete(agents_tools).where(agents_tools.c.agent_id == agent_id))
    rows = [{"agent_id": agent_id, "tool_id": tool_id, "position": at} for at, tool_id in enumerate(wanted)]
    if rows:
        conn.execute(insert(agents_tools), rows)


def set_approval(conn: Connection, actor: Actor, agent_id: str, tool_name: str, required: bool) -> None:
    """Add or remove the rule that a tool's calls wait for approval."""
    agent = store.get(conn, actor, agent_id, to_change=True)
    others = [rule for rule in agent.tool_rules if not _asks_for(rule, tool_name)]
    if required:
        others = with_rules(agent.tool_rules, approval_rules([(tool_name, True)]))
    if others != agent.tool_rules:
        store.update_agent(conn, actor, agent_id, {"tool_rules": others})


def _asks_for(rule: dict[str, object], tool_name: str) -> bool:
    return rule["type"] == "requires_approval" and rule["tool_name"] == tool_name


def _share(conn: Connection, actor: Actor, agent_id: str, had: Sequence[str]) -> None:
    """Let who looks after this agent's memory see the blocks that it has now, in place of those it had."""
    group = groups.managed_by(conn, [agent_id]).get(agent_id)
    if group is None:
        return
    has = block_ids(conn, agent_id, agent_id)
    seen = block_ids(conn, group.helper_agent_id, group.helper_agent_id)
    kept = [block_id for block_id in seen if block_id in has or block_id not in had]
    labels = {*_labels(conn, actor, kept).values()}
    fresh = _labels(conn, actor, [block_id for block_id in has if block_id not in kept])
    more = [block_id for block_id, label in fresh.items() if label not in labels]
    if [*kept, *more] != [*seen]:
        set_blocks(conn, actor, group.helper_agent_id, [*kept, *more])


def _check_releasable(conn: Connection, actor: Actor, ids: Collection[str]) -> None:
    """A tool that calls the API must not rid an agent of what it may not change."""
    query = owned(blocks, actor).with_only_columns(blocks.c.label).where(blocks.c.id.in_(ids))
    if kept := list(conn.execute(query.where(blocks.c.read_only)).scalars()):
        raise Forbidden(f"Block {', '.join(kept)} is read-only: tools cannot detach it.")


def _labels(conn: Connection, actor: Actor, ids: Sequence[str]) -> dict[str, str]:
    """The labels of blocks, by id; `NotFound` names those that do not exist."""
    query = owned(blocks, actor).with_only_columns(blocks.c.id, blocks.c.label).where(blocks.c.id.in_(ids))
    labels = dict(conn.execute(query).all())
    if missing := [block_id for block_id in ids if block_id not in labels]:
        raise NotFound(f"There is no block {', '.join(missing)}.")
    return labels


def _next(conn: Connection, table: Table, agent_id: str) -> int:
    last = select(func.coalesce(func.max(table.c.position), -1)).where(table.c.agent_id == agent_id)
    return conn.execute(last).scalar_one() + 1


def _label_taken(agent_id: str, label: str, block_id: str = "another") -> Conflict:
    return Conflict(
        f"Agent {agent_id} already has a block labelled {label!r} ({block_id}); detach or rename it first."
    )
