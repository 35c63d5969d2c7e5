"""Going back and forth in a block's past: each way is a new version, the past itself stays."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, insert

from perdure.kit.clock import iso
from perdure.kit.errors import Conflict, Forbidden, NotFound
from perdure.memory import store as blocks
from perdure.memory.store import BlockNotFound, BlockRow
from perdure.memory.versions import store
from perdure.memory.versions.delta import delta
from perdure.memory.versions.store import Cause, Version
from perdure.memory.versions.tables import block_versions
from perdure.memory.versions.walk import BACK, FORTH, redo_target
from perdure.tenancy.actor import Actor


@dataclass(frozen=True, slots=True)
class Target:
    """Where a restore goes: to a version, or to the one of a time."""

    version: int | None = None
    at: datetime | None = None


def undo(conn: Connection, actor: Actor, block_id: str, expected: int | None = None) -> BlockRow:
    """Give a block back what it was before its last change that stands."""
    blocks.held(conn, actor, block_id, expected)
    last = store.last_row(conn, actor, block_id)
    change = last.step.shown if last else 1
    before = store.versions(conn, actor, block_id, change - 1, change - 1)
    if not before:
        raise Conflict(f"There is nothing to undo: the history of block {block_id} begins here.")
    return _show(conn, actor, block_id, before[0].row.step.shown, Cause(BACK))


def redo(conn: Connection, actor: Actor, block_id: str, expected: int | None = None) -> BlockRow:
    """Take the last undo back, as long as nothing else has changed since."""
    blocks.held(conn, actor, block_id, expected)
    target = redo_target(store.walked(conn, actor, block_id))
    if target is None:
        raise Conflict(f"There is nothing to redo: the last change of block {block_id} was no undo.")
    return _show(conn, actor, block_id, target, Cause(FORTH))


def restore(
    conn: Connection, actor: Actor, block_id: str, target: Target, expected: int | None = None
) -> BlockRow:
    """Make a block what it was in a version; one that was deleted is there again, for agents to be given."""
    number = _number(conn, actor, block_id, target)
    if blocks.by_ids(conn, actor, [block_id], to_change=True):
        return _show(conn, actor, block_id, number, Cause("restore"), expected)
    deleted = latest(conn, actor, block_id)
    wanted = store.get(conn, actor, block_id, number).columns
    return blocks.revive(conn, actor, block_id, wanted, deleted, Cause("restore", number))


def forget(conn: Connection, actor: Actor, block_id: str) -> None:
    """Erase a block's past for good; what it is now stays, as its first version."""
    if actor.tool_of:
        raise Forbidden("Tools cannot erase the past of a block.")
    last = latest(conn, actor, block_id)
    store.erase(conn, actor, [block_id])
    if last.row.action != "delete":
        whole = replace(last.row, fields=last.fields, value_delta=delta("", last.value))
        conn.execute(insert(block_versions).values(store.columns_of(whole)))


def latest(conn: Connection, actor: Actor, block_id: str) -> Version:
    """The newest version of a block, deleted or not; raises `BlockNotFound`."""
    last = store.last_row(conn, actor, block_id)
    if last is None:
        raise BlockNotFound(block_id)
    return store.get(conn, actor, block_id, last.version)


def _show(
    conn: Connection, actor: Actor, block_id: str, number: int, cause: Cause, expected: int | None = None
) -> BlockRow:
    wanted = store.get(conn, actor, block_id, number).columns
    return blocks.update(conn, actor, block_id, wanted, replace(cause, of=number), expected)


def _number(conn: Connection, actor: Actor, block_id: str, target: Target) -> int:
    if target.version is not None:
        return target.version
    at = target.at
    found = None if at is None else store.number_at(conn, actor, block_id, at)
    if at is None or found is None:
        latest(conn, actor, block_id)
        raise NotFound(f"at: nothing is known of block {block_id} at {iso(at) if at else 'no time'}.")
    return found
