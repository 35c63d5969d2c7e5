"""Which agents a list or a count is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from sqlalchemy import ColumnElement, Connection, Select, false, func, select

from perdure.agents.parts import AgentParts, gather
from perdure.agents.schemas.types import Include, StopReason
from perdure.agents.store import agent_row
from perdure.agents.tables import agents, agents_archives, agents_blocks, agents_tags
from perdure.kit.clock import now
from perdure.kit.errors import Unprocessable
from perdure.kit.paging import Page, paginate
from perdure.tenancy.actor import Actor, is_owned, owned

SORT_KEYS = ("created_at", "updated_at", "last_run_completion")


@dataclass(frozen=True, slots=True)
class AgentFilters:
    """Conditions that all must hold; unset ones do not count. Hidden agents need asking for."""

    name: str | None = None
    query_text: str | None = None
    tags: tuple[str, ...] = ()
    match_all_tags: bool = False
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    identity_id: str | None = None
    identifier_keys: tuple[str, ...] = ()
    last_stop_reason: str | None = None
    created_by_id: str | None = None
    show_hidden_agents: bool = False
    block_id: str | None = None
    archive_id: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filters as SQL."""
        equal = ("name", "project_id", "template_id", "base_template_id", "last_stop_reason", "created_by_id")
        found = [agents.c[field] == value for field in equal if (value := getattr(self, field)) is not None]
        if self.query_text:
            found.append(agents.c.name.icontains(self.query_text, autoescape=True))
        if self.tags:
            found.append(_tagged(self.tags, self.match_all_tags))
        if self.identity_id or self.identifier_keys:
            found.append(false())  # no agent has an identity yet
        if self.block_id:
            of_block = select(agents_blocks.c.agent_id).where(agents_blocks.c.block_id == self.block_id)
            found.append(agents.c.id.in_(of_block))
        if self.archive_id:
            with_archive = agents_archives.c.archive_id == self.archive_id
            found.append(agents.c.id.in_(select(agents_archives.c.agent_id).where(with_archive)))
        if not self.show_hidden_agents:
            found.append(agents.c.hidden.is_(False))
        return found


def _tagged(tags: tuple[str, ...], every: bool) -> ColumnElement[bool]:
    wanted = set(tags)
    query = select(agents_tags.c.agent_id).where(agents_tags.c.tag.in_(wanted))
    if every:
        query = query.group_by(agents_tags.c.agent_id).having(func.count() == len(wanted))
    return agents.c.id.in_(query)


async def _read_filters(
    *,
    name: str | None = None,
    query_text: Annotated[str | None, Query(description="Part of the name, in any case.")] = None,
    tags: Annotated[list[str] | None, Query()] = None,
    match_all_tags: bool = False,
    project_id: str | None = None,
    template_id: str | None = None,
    base_template_id: str | None = None,
    identity_id: str | None = None,
    identifier_keys: Annotated[list[str] | None, Query()] = None,
    last_stop_reason: StopReason | None = None,
    created_by_id: str | None = None,
    show_hidden_agents: bool = False,
) -> AgentFilters:
    return AgentFilters(
        name=name,
        query_text=query_text,
        tags=tuple(tags or ()),
        match_all_tags=match_all_tags,
        project_id=project_id,
        template_id=template_id,
        base_template_id=base_template_id,
        identity_id=identity_id,
        identifier_keys=tuple(identifier_keys or ()),
        last_stop_reason=last_stop_reason,
        created_by_id=created_by_id,
        show_hidden_agents=show_hidden_agents,
    )


async def _read_include(include: Annotated[list[Include] | None, Query()] = None) -> tuple[str, ...]:
    return tuple(include or ())


async def _asked_since(request: Request) -> datetime | None:
    limit: timedelta | None = request.app.state.approval_limit
    return now() - limit if limit else None


Filters = Annotated[AgentFilters, Depends(_read_filters)]
AskedSince = Annotated[datetime | None, Depends(_asked_since)]  # older requests for approval have expired
Included = Annotated[tuple[str, ...], Depends(_read_include)]


def list_agents(
    conn: Connection, actor: Actor, filters: AgentFilters, page: Page, include: tuple[str, ...]
) -> list[AgentParts]:
    """A page of agents, with the relations included."""
    query: Select[Any] = owned(agents, actor).where(*filters.conditions())
    sort_key = page.order_by or "created_at"
    if sort_key not in SORT_KEYS:
        raise Unprocessable(f"order_by: {sort_key!r} is none of {', '.join(SORT_KEYS)}.")
    nullable = sort_key == "last_run_completion"
    rows = paginate(conn, query, page, key=agents.c[sort_key], id=agents.c.id, nullable=nullable)
    return gather(conn, [agent_row(row) for row in rows], include)


def count_agents(conn: Connection, actor: Actor, filters: AgentFilters) -> int:
    """How many agents the filters leave."""
    query = select(func.count()).select_from(agents).where(is_owned(agents, actor), *filters.conditions())
    return conn.execute(query).scalar_one()


def ids_tagged(
    conn: Connection, actor: Actor, every: Sequence[str], some: Sequence[str], limit: int
) -> list[str]:
    """The ids of agents with every one of some tags and any of others, hidden ones too; oldest first."""
    wanted = ((every, True), (some, False))
    conditions = [_tagged(tuple(tags), together) for tags, together in wanted if tags]
    query = select(agents.c.id).where(is_owned(agents, actor), *conditions)
    return list(conn.execute(query.order_by(agents.c.created_at, agents.c.id).limit(limit)).scalars())
