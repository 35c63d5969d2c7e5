"""Opening and closing an agent's files: never more than may be open, the one longest unseen gives way."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from perdure.agents.folders import store
from perdure.agents.folders.store import AgentFile
from perdure.agents.store import get
from perdure.files.views import Window
from perdure.kit.errors import InvalidArgument
from perdure.tenancy.actor import Actor

WHOLE = Window()


@dataclass(frozen=True, slots=True)
class Opening:
    """A file to be opened, and the lines of it."""

    file_id: str
    window: Window = WHOLE


def open_files(
    conn: Connection,
    actor: Actor,
    agent_id: str,
    openings: Sequence[Opening],
    most: int,
    *,
    close_others: bool = False,
) -> list[str]:
    """Open files of the agent's folders; returns the names of those that were closed for them."""
    get(conn, actor, agent_id, to_change=True)
    wanted = [opening.file_id for opening in openings]
    if len(set(wanted)) > most:
        raise InvalidArgument(
            f"At most {most} files can be open at once, and {len(set(wanted))} were asked for."
        )
    known = {file.file_id: file for file in store.files_of(conn, agent_id)}
    for file_id in wanted:
        if file_id not in known:
            store.file_of(conn, agent_id, file_id)
    closed = crowded_out(list(known.values()), set(wanted), 0 if close_others else most)
    store.set_closed(conn, agent_id, [file.file_id for file in closed])
    for opening in openings:
        store.set_open(conn, agent_id, opening.file_id, opening.window)
    return [file.path for file in closed]


def crowded_out(known: Sequence[AgentFile], wanted: Collection[str], most: int) -> list[AgentFile]:
    """The open files that give way so that the wanted ones fit: those longest unseen."""
    others = [file for file in known if file.is_open and file.file_id not in wanted]
    others.sort(key=lambda file: (str(file.last_accessed_at), file.file_id))
    return others[: max(0, len(others) + len(set(wanted)) - most)] if most else others


def close_file(conn: Connection, actor: Actor, agent_id: str, file_id: str) -> str:
    """Close a file; its name. Nothing happens if it is closed."""
    get(conn, actor, agent_id, to_change=True)
    file = store.file_of(conn, agent_id, file_id)
    store.set_closed(conn, agent_id, [file_id])
    return file.path


def close_all(conn: Connection, actor: Actor, agent_id: str) -> list[str]:
    """Close all files; their names."""
    get(conn, actor, agent_id, to_change=True)
    opened = [file for file in store.files_of(conn, agent_id) if file.is_open]
    store.set_closed(conn, agent_id, [file.file_id for file in opened])
    return [file.path for file in opened]
