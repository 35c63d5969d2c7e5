"""Which archives an agent has. It reads all of them and writes to the first, made when it is needed.

Satisfies `archives.archives.ArchiveLinks`: tools reach an agent's archives through this module.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from perdure.agents import store
from perdure.agents.tables import agents_archives
from perdure.archives import store as archives
from perdure.archives.store import ArchiveRow
from perdure.archives.tables import archives as archives_table
from perdure.kit.errors import NotFound
from perdure.tenancy.actor import Actor


def archives_of(conn: Connection, agent_id: str) -> list[ArchiveRow]:
    """The agent's archives, the one that it writes to first."""
    query = (
        select(archives_table)
        .join(agents_archives, agents_archives.c.archive_id == archives_table.c.id)
        .where(agents_archives.c.agent_id == agent_id)
        .order_by(agents_archives.c.position, archives_table.c.id)
    )
    return [archives.archive_row(row) for row in conn.execute(query)]


def attached(conn: Connection, actor: Actor, agent_id: str) -> list[ArchiveRow]:
    """The same, of an agent that the actor may see; raises `AgentNotFound`."""
    store.get(conn, actor, agent_id)
    return archives_of(conn, agent_id)


def attach(conn: Connection, actor: Actor, agent_id: str, archive_id: str, *, first: bool = False) -> None:
    """Attach an archive after the agent's others, or before them, so that the agent writes to it.

    One that is attached already moves only if it shall be the first.
    """
    store.get(conn, actor, agent_id, to_change=True)
    archives.get(conn, actor, archive_id)
    had = [archive.id for archive in archives_of(conn, agent_id)]
    if archive_id in had[: 1 if first else None]:
        return
    if archive_id in had:
        conn.execute(delete(agents_archives).where(*_link(agent_id, archive_id)))
    _insert(conn, agent_id, archive_id, first=first)


def detach(conn: Connection, actor: Actor, agent_id: str, archive_id: str) -> None:
    """Detach an archive, which stays; `NotFound` if the agent does not have it."""
    store.get(conn, actor, agent_id, to_change=True)
    if conn.execute(delete(agents_archives).where(*_link(agent_id, archive_id))).rowcount == 0:
        raise NotFound(f"Archive {archive_id} is not attached to agent {agent_id}.")


def embedding_of(conn: Connection, actor: Actor, agent_id: str) -> str | None:
    """The embedding model that the agent names, if any."""
    return store.get(conn, actor, agent_id).embedding


def open_archive(conn: Connection, actor: Actor, agent_id: str, values: Mapping[str, Any]) -> ArchiveRow:
    """The archive that the agent writes to: its first, else a new one of its name with these columns."""
    agent = store.get(conn, actor, agent_id, to_change=True)
    if found := archives_of(conn, agent_id):
        return found[0]
    made = archives.create(conn, actor, {**values, "name": f"{agent.name}'s Archive"})
    _insert(conn, agent_id, made.id, first=True)
    return made


def within(conn: Connection, actor: Actor, agent_id: str | None, archive_id: str | None) -> list[str] | None:
    """The archives that a search is about: an agent's, one, one if it is the agent's, or (null) all."""
    if archive_id is not None:
        archives.get(conn, actor, archive_id)
    if agent_id is None:
        return None if archive_id is None else [archive_id]
    return [each.id for each in attached(conn, actor, agent_id) if archive_id in (None, each.id)]


def only_of(conn: Connection, agent_id: str) -> Sequence[str]:
    """The archives that nobody but this agent has."""
    others = agents_archives.alias()
    shared = select(others.c.archive_id).where(others.c.agent_id != agent_id)
    query = select(agents_archives.c.archive_id).where(
        agents_archives.c.agent_id == agent_id, agents_archives.c.archive_id.not_in(shared)
    )
    return conn.execute(query.order_by(agents_archives.c.position)).scalars().all()


def _insert(conn: Connection, agent_id: str, archive_id: str, *, first: bool) -> None:
    of_agent = agents_archives.c.agent_id == agent_id
    edge = func.min(agents_archives.c.position) - 1 if first else func.max(agents_archives.c.position) + 1
    position = conn.execute(select(func.coalesce(edge, 0)).where(of_agent)).scalar_one()
    row = {"agent_id": agent_id, "archive_id": archive_id, "position": position}
    conn.execute(insert(agents_archives).values(row))


def _link(agent_id: str, archive_id: str) -> tuple[Any, Any]:
    return agents_archives.c.agent_id == agent_id, agents_archives.c.archive_id == archive_id
