"""The blocks of the agent whose tool runs: by label, in one unit of work."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from perdure.memory import store
from perdure.memory.schemas import check_label
from perdure.memory.store import BlockRow
from perdure.memory.versions import store as versions
from perdure.memory.versions.store import Action, Cause
from perdure.tools.base import ToolContext, ToolFailed


def blocks_by_label(conn: Connection, ctx: ToolContext) -> Mapping[str, BlockRow]:
    """The agent's blocks, held until the transaction ends: blocks are shared, and both edits count."""
    ids = ctx.blocks.block_ids(conn, ctx.agent_id, ctx.thread_id)
    return {block.label: block for block in store.by_ids(conn, ctx.actor, ids, to_change=True)}


def writable(conn: Connection, ctx: ToolContext, label: str) -> BlockRow:
    """The block of this label, if the agent has it and may change it."""
    found = blocks_by_label(conn, ctx)
    if label not in found:
        known = f"Your blocks are {', '.join(found)}" if found else "You have no blocks"
        raise ToolFailed(f"There is no block labelled {label!r}. {known}.")
    if found[label].read_only:
        raise ToolFailed(f"Block {label!r} is read-only: you cannot change it.")
    return found[label]


def edit(conn: Connection, ctx: ToolContext, label: str, change: Callable[[str], str]) -> str:
    """Change a block's value by a function of it; returns the new value."""
    block = writable(conn, ctx, label)
    return store.set_value(conn, ctx.actor, block.id, change(block.value), by(ctx)).value


def by(ctx: ToolContext, action: Action = "update") -> Cause:
    """The tool that runs, as the cause of a change."""
    return Cause(action, None, ctx.agent_id, ctx.run_id or None, ctx.tool or None)


def overwrite(conn: Connection, ctx: ToolContext, label: str, value: str) -> str:
    """Set a block's value, making the block if the agent has none of this label.

    Refused where somebody else has changed it since the model was shown it: that would be lost.
    """
    if label not in blocks_by_label(conn, ctx):
        return add_block(conn, ctx, label, value).value
    block = writable(conn, ctx, label)
    if ctx.asked_at and block.updated_at > ctx.asked_at:
        last = versions.last_row(conn, ctx.actor, block.id)
        if last is None or last.run_id != ctx.run_id:
            raise ToolFailed(
                f"Block {label!r} was changed by somebody else while you were thinking, so nothing was "
                f"written. It says now:\n{block.value}\nWrite it anew with that in mind."
            )
    return edit(conn, ctx, label, lambda _: value)


def remember(conn: Connection, ctx: ToolContext, values: Mapping[str, str], seen: Mapping[str, int]) -> None:
    """Store what a tool has changed in the agent's blocks: texts by label, all or none.

    `seen` are the versions that the tool was shown: where a block has changed meanwhile, nothing is stored.
    """
    for label, value in values.items():
        block = writable(conn, ctx, label)
        try:
            store.set_value(conn, ctx.actor, block.id, value, by(ctx), seen.get(label))
        except (store.BlockTooLong, store.BlockChanged) as error:
            raise ToolFailed(error.detail) from error


def add_block(
    conn: Connection, ctx: ToolContext, label: str, value: str, description: str | None = None
) -> BlockRow:
    """Make a block and attach it to the agent."""
    if label in blocks_by_label(conn, ctx):
        raise ToolFailed(f"You already have a block labelled {label!r}; change that one.")
    made = store.create(
        conn,
        ctx.actor,
        {"label": _checked(label), "value": value, "description": description},
        by(ctx, "create"),
    )
    ctx.blocks.attach_block(conn, ctx.actor, ctx.agent_id, made.id)
    return made


def drop_block(conn: Connection, ctx: ToolContext, label: str) -> None:
    """Detach a block from the agent. It stays, for others may have it and a person may want it back."""
    ctx.blocks.detach_block(conn, ctx.actor, ctx.agent_id, writable(conn, ctx, label).id)


def rename_block(conn: Connection, ctx: ToolContext, label: str, new_label: str) -> None:
    """Give a block another label, for all agents that share it."""
    block = writable(conn, ctx, label)
    if new_label != label and new_label in blocks_by_label(conn, ctx):
        raise ToolFailed(f"You already have a block labelled {new_label!r}.")
    store.update(conn, ctx.actor, block.id, {"label": _checked(new_label)}, by(ctx))


def describe_block(conn: Connection, ctx: ToolContext, label: str, description: str) -> None:
    """Say anew what a block is for."""
    block = writable(conn, ctx, label)
    store.update(conn, ctx.actor, block.id, {"description": description}, by(ctx))


def _checked(label: str) -> str:
    try:
        return check_label(label)
    except ValueError as error:
        raise ToolFailed(str(error)) from error
