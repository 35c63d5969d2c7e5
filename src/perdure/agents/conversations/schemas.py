"""Conversations as clients see them."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from perdure.agents.schemas.model_settings import ModelSettings
from perdure.agents.schemas.types import Text
from perdure.kit.clock import WIRE_TIME
from perdure.kit.ids import AgentId

Time = Annotated[datetime, WIRE_TIME]


class CreateConversation(BaseModel):
    """A conversation to begin. Unset, model, settings and window are the agent's."""

    model_config = ConfigDict(protected_namespaces=())

    summary: Text | None = None
    description: Text | None = None
    isolated_block_labels: list[str] | None = Field(
        None, description="Blocks of the agent that this conversation gets copies of, for itself."
    )
    model: str | None = None
    model_settings: ModelSettings | None = None
    context_window_limit: int | None = Field(None, gt=0)
    hidden: bool = False


class UpdateConversation(BaseModel):
    """Changes to a conversation. Model settings are merged by name; an explicit null clears."""

    model_config = ConfigDict(protected_namespaces=())

    summary: Text | None = None
    description: Text | None = None
    model: str | None = None
    model_settings: ModelSettings | None = None
    context_window_limit: int | None = Field(None, gt=0)
    archived: bool | None = None
    last_message_at: AwareDatetime | None = None


class Recompile(BaseModel):
    """Whose default conversation is meant."""

    agent_id: AgentId | None = None


class Conversation(BaseModel):
    """A conversation. What is in its context is told where a single one is asked for."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    agent_id: str
    summary: str | None
    description: str | None
    in_context_message_ids: list[str] | None
    isolated_block_ids: list[str]
    model: str | None
    model_settings: ModelSettings | None
    context_window_limit: int | None
    archived: bool
    archived_at: Time | None
    last_message_at: Time | None
    last_run_completion: Time | None
    created_at: Time
    updated_at: Time
    created_by_id: str | None
    last_updated_by_id: str | None
