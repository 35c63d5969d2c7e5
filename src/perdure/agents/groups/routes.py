"""`/v1/groups`: the agents that look after the memory of others."""

from typing import Annotated, Any

from fastapi import APIRouter
from sqlalchemy import Connection

from perdure.agents import store as agents
from perdure.agents.groups import store
from perdure.agents.groups.schemas import Group, GroupId, ManagerType, UpdateGroup, wire_group
from perdure.agents.groups.store import GroupRow
from perdure.db import Db
from perdure.kit.errors import InvalidArgument
from perdure.kit.ids import AgentId
from perdure.kit.paging import Page, page_query
from perdure.tenancy.actor import Actor, CurrentActor

router = APIRouter(tags=["groups"])


@router.get("/v1/groups/")
async def list_groups(
    page: Annotated[Page, page_query(limit=50, order="asc")],
    db: Db,
    actor: CurrentActor,
    manager_type: ManagerType | None = None,
) -> list[Group]:
    """A page of groups, oldest first."""
    return [wire_group(row) for row in await db.read(store.list_, actor, page, manager_type)]


@router.get("/v1/groups/count")
async def count_groups(db: Db, actor: CurrentActor) -> int:
    """How many groups there are."""
    return await db.read(store.count, actor)


@router.get("/v1/groups/{group_id}")
async def retrieve_group(group_id: GroupId, db: Db, actor: CurrentActor) -> Group:
    """One group."""
    return wire_group(await db.read(store.get, actor, group_id))


@router.patch("/v1/groups/{group_id}")
async def update_group(group_id: GroupId, body: UpdateGroup, db: Db, actor: CurrentActor) -> Group:
    """Change how often the helper looks, or the description. `sleeptime_agent_frequency: null` is never."""
    return wire_group(await db.write(_update, actor, group_id, body))


@router.get("/v1/agents/{agent_id}/groups")
async def list_groups_of_agent(
    agent_id: AgentId,
    page: Annotated[Page, page_query(limit=100, order="desc")],
    db: Db,
    actor: CurrentActor,
    manager_type: ManagerType | None = None,
) -> list[Group]:
    """The groups an agent is in."""
    await db.read(agents.get, actor, agent_id)
    found = await db.read(store.list_, actor, page, manager_type, agent_id)
    return [wire_group(row) for row in found]


def _update(conn: Connection, actor: Actor, group_id: str, body: UpdateGroup) -> GroupRow:
    group = store.get(conn, actor, group_id)
    config = body.manager_config
    values: dict[str, Any] = {} if body.description is None else {"description": body.description}
    if body.agent_ids is not None and body.agent_ids != [group.helper_agent_id]:
        raise InvalidArgument("agent_ids: the helper of a group cannot be exchanged, only changed itself.")
    if config:
        if config.manager_type != group.manager_type:
            raise InvalidArgument(f"manager_config: the manager_type stays {group.manager_type}.")
        if config.manager_agent_id not in (None, group.manager_agent_id):
            raise InvalidArgument("manager_config: the agent that a group looks after stays.")
        if "sleeptime_agent_frequency" in config.model_fields_set:
            values["frequency"] = config.sleeptime_agent_frequency
    return store.change(conn, actor, group_id, values)
