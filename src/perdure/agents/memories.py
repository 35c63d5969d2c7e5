"""What an agent remembers in its archives, all of them together."""

from dataclasses import replace

from sqlalchemy import Connection

from perdure.agents.archives import archives_of, attached
from perdure.kit.paging import Page
from perdure.passages import store as passages
from perdure.passages.store import PassageFilter, PassageNotFound, PassageRow
from perdure.tenancy.actor import Actor

TAGS_AMONG = 500  # an agent is told the tags of so many of its latest memories
MOST_TAGS = 50


def list_memories(
    conn: Connection, actor: Actor, agent_id: str, page: Page, wanted: PassageFilter
) -> list[PassageRow]:
    """A page of the passages of all its archives; raises `AgentNotFound`."""
    ids = [archive.id for archive in attached(conn, actor, agent_id)]
    return passages.list_(conn, actor, page, replace(wanted, archive_ids=ids))


def remove_memory(conn: Connection, actor: Actor, agent_id: str, passage_id: str) -> None:
    """Delete a passage of one of its archives; raises `PassageNotFound` for any other."""
    ids = {archive.id for archive in attached(conn, actor, agent_id)}
    passage = passages.get(conn, actor, passage_id)
    if passage.archive_id not in ids:
        raise PassageNotFound(passage_id, f" in the archives of agent {agent_id}")
    passages.remove(conn, actor, passage)


def memory_size(conn: Connection, actor: Actor, agent_id: str) -> tuple[int, tuple[str, ...]]:
    """How many passages it has, and tags of the latest."""
    ids = [archive.id for archive in archives_of(conn, agent_id)]
    if not ids:
        return 0, ()
    wanted = PassageFilter(archive_ids=ids)
    tags = passages.recent_tags(conn, actor, wanted, TAGS_AMONG)
    return passages.count(conn, actor, wanted), tuple(tags[:MOST_TAGS])
