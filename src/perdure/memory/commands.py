"""What the tools `memory` and `memory_apply_patch` do: several kinds of change behind one name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from perdure.memory.edits import check_unnumbered, insert_lines, replace_once
from perdure.memory.patch import Operation, added_value, patched, read_patch
from perdure.memory.reach import add_block, describe_block, drop_block, edit, rename_block
from perdure.tools.base import ToolContext, ToolFailed

ROOT = "/memories/"


@dataclass(frozen=True, slots=True)
class Command:
    """The arguments of the tool `memory`; each command reads some of them."""

    command: str
    path: str | None = None
    file_text: str | None = None
    description: str | None = None
    old_string: str | None = None
    new_string: str | None = None
    insert_line: int | None = None
    insert_text: str | None = None
    old_path: str | None = None
    new_path: str | None = None


def obey(conn: Connection, ctx: ToolContext, asked: Command) -> str:
    """Carry out a command; edits return the new value, the others a sentence."""
    return COMMANDS[asked.command](conn, ctx, asked)


def _create(conn: Connection, ctx: ToolContext, asked: Command) -> str:
    label = _label(asked.path, "create", "path")
    text = asked.file_text or ""
    check_unnumbered(file_text=text)
    add_block(conn, ctx, label, text, asked.description)
    return f"You now have a block {label}."


def _str_replace(conn: Connection, ctx: ToolContext, asked: Command) -> str:
    label = _label(asked.path, "str_replace", "path")
    old = _needed(asked.old_string, "str_replace", "old_string")
    new = asked.new_string or ""
    check_unnumbered(old_string=old, new_string=new)
    return edit(conn, ctx, label, lambda value: replace_once(value, old, new))


def _insert(conn: Connection, ctx: ToolContext, asked: Command) -> str:
    label = _label(asked.path, "insert", "path")
    text = _needed(asked.insert_text, "insert", "insert_text")
    check_unnumbered(insert_text=text)
    line = -1 if asked.insert_line is None else asked.insert_line
    return edit(conn, ctx, label, lambda value: insert_lines(value, text, line))


def _delete(conn: Connection, ctx: ToolContext, asked: Command) -> str:
    label = _label(asked.path, "delete", "path")
    drop_block(conn, ctx, label)
    return f"Block {label} is no longer yours."


def _rename(conn: Connection, ctx: ToolContext, asked: Command) -> str:
    if asked.path and asked.description is not None:
        label = _label(asked.path, "rename", "path")
        describe_block(conn, ctx, label, asked.description)
        return f"Block {label} has a new description."
    label = _label(asked.old_path, "rename", "old_path")
    new_label = _label(asked.new_path, "rename", "new_path")
    rename_block(conn, ctx, label, new_label)
    return f"Block {label} is now called {new_label}."


COMMANDS: Mapping[str, Callable[[Connection, ToolContext, Command], str]] = {
    "create": _create,
    "str_replace": _str_replace,
    "insert": _insert,
    "delete": _delete,
    "rename": _rename,
}


def apply_patch(conn: Connection, ctx: ToolContext, label: str, patch: str) -> str | list[str]:
    """Carry out a patch, all of it or nothing; the new value, or with headers what was done."""
    operations, several = read_patch(label, patch)
    done = [_operate(conn, ctx, operation) for operation in operations]
    return [said for said, _ in done] if several else done[0][1]


def _operate(conn: Connection, ctx: ToolContext, operation: Operation) -> tuple[str, str]:
    """Carry out one operation; what was done, and the block's new value."""
    label = operation.label
    if operation.kind == "Add":
        return f"Added block {label}.", add_block(conn, ctx, label, added_value(operation)).value
    if operation.kind == "Delete":
        drop_block(conn, ctx, label)
        return f"Deleted block {label}.", ""
    value = ""
    if any(operation.lines) or not operation.move_to:
        value = edit(conn, ctx, label, lambda value: patched(value, operation.lines))
    if operation.move_to:
        rename_block(conn, ctx, label, operation.move_to)
        return f"Updated block {label}, now called {operation.move_to}.", value
    return f"Updated block {label}.", value


def _needed(value: str | None, command: str, name: str) -> str:
    if value is None:
        raise ToolFailed(f"The command {command} needs {name}.")
    return value


def _label(path: str | None, command: str, name: str) -> str:
    """The label in a path such as `/memories/human`."""
    given = _needed(path, command, name)
    label = given.removeprefix(ROOT)
    if not label or label.startswith("/"):
        raise ToolFailed(f"{name} must be {ROOT} and the block's label, such as {ROOT}human, not {given!r}.")
    return label
