"""Tags of agents: those in use, and the few with a meaning."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from perdure.agents.tables import agents, agents_tags
from perdure.kit.paging import Page, paginate
from perdure.tenancy.actor import Actor, is_owned

SUBAGENT = "role:subagent"
GIT_MEMORY = "git-memory-enabled"


def list_tags(conn: Connection, actor: Actor, page: Page, text: str | None) -> list[str]:
    """A page of distinct tags by name, perhaps only those with `text` in them; a tag is its own cursor."""
    query = (
        select(agents_tags.c.tag)
        .join(agents, agents.c.id == agents_tags.c.agent_id)
        .where(is_owned(agents, actor))
        .group_by(agents_tags.c.tag)
    )
    if text:
        query = query.where(agents_tags.c.tag.icontains(text, autoescape=True))
    return [row.tag for row in paginate(conn, query, page, key=agents_tags.c.tag, id=agents_tags.c.tag)]


def makes_hidden(tags: Iterable[str]) -> bool:
    """Whether these tags mark an agent that works for another one and is not listed."""
    return SUBAGENT in tags


def kept_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags without doubles, and without those that ask for a feature this server does not have."""
    return tuple(tag for tag in dict.fromkeys(tags) if tag != GIT_MEMORY)
