"""Which folders an agent sees: attach, detach, replace. The file tools come and go with them."""

from collections.abc import Sequence

from sqlalchemy import Connection

from perdure.agents import links
from perdure.agents import store as agents
from perdure.agents.folders import opening, store
from perdure.agents.folders.limits import FileLimits
from perdure.agents.folders.opening import Opening
from perdure.files import folders
from perdure.files import store as files
from perdure.files.store import Duplicates, FileRow, Stored
from perdure.files.views import Window
from perdure.kit.errors import NotFound
from perdure.tenancy.actor import Actor
from perdure.tools import store as tools

FILE_TOOLS = ("open_files", "grep_files", "semantic_search_files")


def attach_folder(conn: Connection, actor: Actor, agent_id: str, folder_id: str, limits: FileLimits) -> None:
    """Attach a folder after the others and open its files as far as there are free places.

    Nothing happens if it is attached already.
    """
    agent = agents.get(conn, actor, agent_id, to_change=True)
    folders.get(conn, actor, folder_id)
    if folder_id in store.folder_ids_of(conn, agent_id):
        return
    store.add_folder(conn, agent_id, folder_id)
    if not agent.has_folders:
        agents.update_agent(conn, actor, agent_id, {"has_folders": True})
    for tool in tools.by_names(conn, actor, FILE_TOOLS):
        links.attach_tool(conn, actor, agent_id, tool.id)
    known = store.files_of(conn, agent_id)
    free = limits.files - sum(bool(file.is_open) for file in known)
    for file in [file for file in known if file.folder_id == folder_id][: max(0, free)]:
        store.set_open(conn, agent_id, file.file_id, Window())


def detach_folder(conn: Connection, actor: Actor, agent_id: str, folder_id: str) -> None:
    """Detach a folder, which stays; nothing happens if it was not attached."""
    agents.get(conn, actor, agent_id, to_change=True)
    folders.get(conn, actor, folder_id)
    if store.drop_folder(conn, agent_id, folder_id) and not store.folder_ids_of(conn, agent_id):
        agents.update_agent(conn, actor, agent_id, {"has_folders": False})
        for tool in tools.by_names(conn, actor, FILE_TOOLS):
            links.detach_tool(conn, actor, agent_id, tool.id)


def set_folders(
    conn: Connection, actor: Actor, agent_id: str, folder_ids: Sequence[str], limits: FileLimits
) -> None:
    """Make these the agent's folders; raises `NotFound` naming those that do not exist."""
    wanted = list(dict.fromkeys(folder_ids))
    known = folders.by_ids(conn, actor, wanted)
    if missing := [folder_id for folder_id in wanted if folder_id not in known]:
        raise NotFound(f"folder_ids: there is no folder {', '.join(missing)}.")
    for folder_id in store.folder_ids_of(conn, agent_id):
        if folder_id not in known:
            detach_folder(conn, actor, agent_id, folder_id)
    for folder_id in wanted:
        attach_folder(conn, actor, agent_id, folder_id, limits)


def delete_folder(conn: Connection, actor: Actor, folder_id: str) -> None:
    """Delete a folder with its files; the agents that saw it see it no more."""
    folders.hold(conn, actor, folder_id)
    for agent in store.agents_of(conn, actor, folder_id):
        detach_folder(conn, actor, agent.id, folder_id)
    folders.remove(conn, actor, folder_id)


def add_file(
    conn: Connection,
    actor: Actor,
    file: FileRow,
    duplicates: Duplicates,
    limits: dict[str, FileLimits],
) -> Stored:
    """Store an uploaded file and open it for the agents that see its folder.

    `limits` are theirs; agents that came meanwhile have opened what they found.
    """
    stored = files.add(conn, actor, file, duplicates)
    if stored.result != "skipped":
        for agent in store.agents_of(conn, actor, file.folder_id):
            if agent.id in limits:
                _open_new(conn, actor, agent.id, stored.file.id, limits[agent.id])
    return stored


def _open_new(conn: Connection, actor: Actor, agent_id: str, file_id: str, limits: FileLimits) -> None:
    opening.open_files(conn, actor, agent_id, [Opening(file_id)], limits.files)
