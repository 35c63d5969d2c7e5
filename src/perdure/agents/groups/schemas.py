"""Groups on the wire."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from perdure.agents.groups.store import GroupRow
from perdure.kit.ids import id_pattern

ManagerType = Literal["round_robin", "supervisor", "dynamic", "sleeptime", "voice_sleeptime", "swarm"]
GroupId = Annotated[str, id_pattern("group")]


class Group(BaseModel):
    """An agent and the one that looks after its memory. What other kinds of groups have is null."""

    id: str
    manager_type: ManagerType
    agent_ids: list[str]
    description: str
    manager_agent_id: str | None = None
    sleeptime_agent_frequency: int | None = Field(default=None, description="After how many turns.")
    turns_counter: int | None = Field(default=None, description="Turns since the last time, from -1.")
    last_processed_message_id: str | None = None
    shared_block_ids: list[str] = []
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    termination_token: str | None = None
    max_turns: int | None = None
    max_message_buffer_length: int | None = None
    min_message_buffer_length: int | None = None
    hidden: bool | None = None


class ManagerConfig(BaseModel):
    """How the group is led."""

    manager_type: ManagerType = "sleeptime"
    manager_agent_id: str | None = None
    sleeptime_agent_frequency: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class UpdateGroup(BaseModel):
    """What to change of a group; what is left out stays."""

    description: str | None = None
    manager_config: ManagerConfig | None = None
    agent_ids: list[str] | None = None


def wire_group(row: GroupRow) -> Group:
    """A stored group as clients see it."""
    return Group(
        id=row.id,
        manager_type=row.manager_type,  # type: ignore[arg-type]
        agent_ids=[row.helper_agent_id],
        description=row.description,
        manager_agent_id=row.manager_agent_id,
        sleeptime_agent_frequency=row.frequency,
        turns_counter=row.turns_counter,
        last_processed_message_id=row.seen_message_id,
    )
