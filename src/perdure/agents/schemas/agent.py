"""`AgentState`: an agent as clients see it."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from perdure.agents.groups.schemas import Group
from perdure.agents.schemas.compaction import CompactionSettings
from perdure.agents.schemas.files import FileBlock
from perdure.agents.schemas.llm_config import LLMConfig
from perdure.agents.schemas.model_settings import ModelSettings, ResponseFormat
from perdure.agents.schemas.types import AgentType, Json, MultitaskStrategy, StopReason
from perdure.embeddings.schemas import EmbeddingConfig
from perdure.files.schemas import Folder
from perdure.kit.clock import WIRE_TIME
from perdure.memory.schemas import Block
from perdure.messages.schemas import ApprovalRequestMessage
from perdure.tools.rules import ToolRule
from perdure.tools.schemas import Tool

Time = Annotated[datetime, WIRE_TIME]


class AgentSecret(BaseModel):
    """A variable that the agent's tools get. Its value can be set, never read."""

    model_config = ConfigDict(defer_build=True)

    id: str
    agent_id: str
    key: str
    value: str = ""
    value_enc: None = None
    description: str | None = None
    organization_id: str | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    created_by_id: str | None = None
    last_updated_by_id: str | None = None


class Memory(BaseModel):
    """An agent's blocks once more, in the shape of older clients."""

    agent_type: AgentType | None = None
    git_enabled: bool = False
    blocks: list[Block] = []
    file_blocks: list[FileBlock] = []
    prompt_template: str = ""


class AgentState(BaseModel):
    """An agent. Its relations are filled where a request includes them."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    name: str
    description: str | None
    metadata: Json | None
    agent_type: AgentType
    system: str
    message_ids: list[str]
    tool_rules: list[ToolRule]
    model: str
    embedding: str | None
    model_settings: ModelSettings
    llm_config: LLMConfig
    embedding_config: EmbeddingConfig | None = None
    compaction_settings: CompactionSettings
    response_format: ResponseFormat | None = None
    memory: Memory
    blocks: list[Block]
    tools: list[Tool]
    sources: list[Folder] = []
    tags: list[str]
    secrets: list[AgentSecret]
    tool_exec_environment_variables: list[AgentSecret]
    identities: list[Json] = []
    identity_ids: list[str] = []
    managed_group: Group | None = None
    multi_agent_group: Group | None = None
    pending_approval: ApprovalRequestMessage | None = None
    project_id: str | None
    template_id: str | None
    base_template_id: str | None
    deployment_id: str | None
    entity_id: str | None
    message_buffer_autoclear: bool
    enable_sleeptime: bool | None
    multitask_strategy: MultitaskStrategy | None
    last_run_completion: Time | None
    last_run_duration_ms: int | None
    last_stop_reason: StopReason | None
    timezone: str
    max_files_open: int | None
    per_file_view_window_char_limit: int | None
    hidden: bool | None
    created_at: Time
    updated_at: Time
    created_by_id: str | None
    last_updated_by_id: str | None


class Message(BaseModel):
    """A sentence about what was done."""

    message: str
