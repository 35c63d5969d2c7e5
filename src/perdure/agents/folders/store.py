"""An agent's folders and open files, stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, delete, func, insert, select, update

from perdure.agents.folders.tables import agents_files, agents_folders
from perdure.agents.store import AgentRow, agent_row
from perdure.agents.tables import agents
from perdure.db.prepared import Prepared
from perdure.files.folders import FolderRow, folder_row
from perdure.files.render import Directories, ShownFile, ShownFolder
from perdure.files.store import FileNotFound, Status
from perdure.files.tables import files, folders
from perdure.files.views import Window
from perdure.kit.clock import now
from perdure.kit.paging import Page, paginate
from perdure.tenancy.actor import Actor, is_owned


@dataclass(frozen=True, slots=True)
class AgentFile:
    """A file of an agent's folders, as it stands with the agent."""

    file_id: str
    name: str
    status: Status
    error_message: str | None
    characters: int | None
    lines: int | None
    folder_id: str
    folder_name: str
    is_open: bool | None
    first_line: int | None
    last_line: int | None
    last_accessed_at: datetime | None

    @property
    def path(self) -> str:
        """The name by which the agent knows it."""
        return f"{self.folder_name}/{self.name}"

    @property
    def window(self) -> Window | None:
        """The lines that are open; null for a closed file."""
        return Window(self.first_line or 1, self.last_line) if self.is_open else None


COLUMNS = (
    files.c.id,
    files.c.name,
    files.c.status,
    files.c.error_message,
    files.c.characters,
    files.c.lines,
    folders.c.id.label("folder_id"),
    folders.c.name.label("folder_name"),
    agents_files.c.is_open,
    agents_files.c.first_line,
    agents_files.c.last_line,
    agents_files.c.last_accessed_at,
)
OF_AGENT: Any = (
    select(*COLUMNS)
    .select_from(agents_folders)
    .join(folders, folders.c.id == agents_folders.c.folder_id)
    .join(files, files.c.folder_id == folders.c.id)
    .outerjoin(
        agents_files,
        and_(agents_files.c.file_id == files.c.id, agents_files.c.agent_id == agents_folders.c.agent_id),
    )
    .where(agents_folders.c.agent_id == bindparam("agent_id"))
)
# Statements of the hot path are built once: building one costs about as much as running it.
SELECT_FILES = Prepared(OF_AGENT.order_by(agents_folders.c.position, files.c.created_at, files.c.id))
SELECT_FOLDERS = Prepared(
    select(folders.c.id, folders.c.name, folders.c.description, folders.c.instructions)
    .join(agents_folders, agents_folders.c.folder_id == folders.c.id)
    .where(agents_folders.c.agent_id == bindparam("agent_id"))
    .order_by(agents_folders.c.position)
)


def files_of(conn: Connection, agent_id: str) -> list[AgentFile]:
    """All files of the agent's folders, folder by folder in the order of attaching."""
    return [AgentFile(*row) for row in SELECT_FILES.all(conn, {"agent_id": agent_id})]


def file_of(conn: Connection, agent_id: str, file_id: str) -> AgentFile:
    """One of them; raises `FileNotFound`."""
    row = conn.execute(OF_AGENT.where(files.c.id == file_id), {"agent_id": agent_id}).first()
    if row is None:
        raise FileNotFound(file_id)
    return AgentFile(*row)


def files_page(conn: Connection, agent_id: str, page: Page, is_open: bool | None) -> list[AgentFile]:
    """A page of them, by when they were uploaded."""
    query = OF_AGENT.params(agent_id=agent_id)
    if is_open is not None:
        query = query.where(func.coalesce(agents_files.c.is_open, False).is_(is_open))
    return [AgentFile(*row) for row in paginate(conn, query, page, key=files.c.created_at, id=files.c.id)]


def directories_of(conn: Connection, agent_id: str, most_open: int, most_characters: int) -> Directories:
    """What the agent's prompt tells of its folders."""
    by_folder: dict[str, list[ShownFile]] = {}
    for file in files_of(conn, agent_id):
        size = (file.characters or 0, file.lines or 0)
        shown = ShownFile(file.file_id, file.name, file.status, file.error_message, *size, file.window)
        by_folder.setdefault(file.folder_id, []).append(shown)
    found = tuple(
        ShownFolder(name, description, instructions, by_folder.get(folder_id, []))
        for folder_id, name, description, instructions in SELECT_FOLDERS.all(conn, {"agent_id": agent_id})
    )
    return Directories(found, most_open, most_characters)


def folders_by_agent(conn: Connection, agent_ids: Sequence[str]) -> dict[str, list[FolderRow]]:
    """The folders of several agents at once; agents without any are left out."""
    query = _attached().add_columns(agents_folders.c.agent_id).where(agents_folders.c.agent_id.in_(agent_ids))
    found: dict[str, list[FolderRow]] = {}
    for *folder, agent_id in conn.execute(query.order_by(agents_folders.c.position)):
        found.setdefault(agent_id, []).append(folder_row(folder))
    return found


def folders_page(conn: Connection, agent_id: str, page: Page) -> list[FolderRow]:
    """A page of the agent's folders, by when they were attached."""
    query = _attached().where(agents_folders.c.agent_id == agent_id)
    return [
        folder_row(row) for row in paginate(conn, query, page, key=agents_folders.c.position, id=folders.c.id)
    ]


def _attached() -> Select[tuple[object, ...]]:
    return select(folders).join(agents_folders, agents_folders.c.folder_id == folders.c.id)


def folder_ids_of(conn: Connection, agent_id: str) -> list[str]:
    """The agent's folders in the order of attaching."""
    query = select(agents_folders.c.folder_id).where(agents_folders.c.agent_id == agent_id)
    return list(conn.execute(query.order_by(agents_folders.c.position)).scalars())


def agents_of(conn: Connection, actor: Actor, folder_id: str) -> list[AgentRow]:
    """The agents that see a folder."""
    query = (
        select(agents)
        .join(agents_folders, agents_folders.c.agent_id == agents.c.id)
        .where(is_owned(agents, actor), agents_folders.c.folder_id == folder_id)
    )
    return [agent_row(row) for row in conn.execute(query.order_by(agents.c.id))]


def agent_ids_page(conn: Connection, actor: Actor, folder_id: str, page: Page) -> list[str]:
    """A page of the ids of the agents that see a folder."""
    query = (
        select(agents.c.id)
        .join(agents_folders, agents_folders.c.agent_id == agents.c.id)
        .where(is_owned(agents, actor), agents_folders.c.folder_id == folder_id)
    )
    return [row[0] for row in paginate(conn, query, page, key=agents.c.created_at, id=agents.c.id)]


def add_folder(conn: Connection, agent_id: str, folder_id: str) -> None:
    """Attach a folder after the agent's others."""
    last = select(func.coalesce(func.max(agents_folders.c.position), -1))
    position = conn.execute(last.where(agents_folders.c.agent_id == agent_id)).scalar_one() + 1
    row = {"agent_id": agent_id, "folder_id": folder_id, "position": position}
    conn.execute(insert(agents_folders).values(row))


def drop_folder(conn: Connection, agent_id: str, folder_id: str) -> bool:
    """Detach a folder and forget which of its files were open; whether it was attached."""
    theirs = select(files.c.id).where(files.c.folder_id == folder_id)
    conn.execute(
        delete(agents_files).where(agents_files.c.agent_id == agent_id, agents_files.c.file_id.in_(theirs))
    )
    mine = (agents_folders.c.agent_id == agent_id) & (agents_folders.c.folder_id == folder_id)
    return conn.execute(delete(agents_folders).where(mine)).rowcount > 0


def set_open(conn: Connection, agent_id: str, file_id: str, window: Window) -> None:
    """Open a file at these lines; it is the latest that the agent looked at."""
    seen = {
        "is_open": True,
        "first_line": window.first,
        "last_line": window.last,
        "last_accessed_at": now(),
    }
    mine = (agents_files.c.agent_id == agent_id) & (agents_files.c.file_id == file_id)
    if conn.execute(update(agents_files).where(mine).values(seen)).rowcount == 0:
        conn.execute(insert(agents_files).values(agent_id=agent_id, file_id=file_id, **seen))


def set_closed(conn: Connection, agent_id: str, file_ids: Sequence[str]) -> None:
    """Close these files."""
    mine = (agents_files.c.agent_id == agent_id) & agents_files.c.file_id.in_(file_ids)
    conn.execute(update(agents_files).where(mine).values(is_open=False))
