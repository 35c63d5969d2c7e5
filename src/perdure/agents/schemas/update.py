"""`UpdateAgent`: what can change about an agent. Only named fields change; an explicit null clears."""

from datetime import datetime

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from perdure.agents.schemas.compaction import CompactionSettings
from perdure.agents.schemas.llm_config import LLMConfig
from perdure.agents.schemas.model_settings import ModelSettings, ResponseFormat
from perdure.agents.schemas.types import (
    AgentName,
    IdentityId,
    MultitaskStrategy,
    StopReason,
    StoredJson,
    Tag,
    Text,
    Timezone,
)
from perdure.embeddings.schemas import EmbeddingConfig
from perdure.kit.ids import BlockId, FolderId, MessageId, ToolId
from perdure.tools.rules import ToolRule


class UpdateAgent(BaseModel):
    """Changes to an agent. Lists replace, settings are merged by name."""

    model_config = ConfigDict(protected_namespaces=())

    name: AgentName | None = None
    description: Text | None = None
    metadata: StoredJson | None = None
    system: Text | None = None
    model: str | None = None
    llm_config: LLMConfig | None = Field(None, json_schema_extra={"deprecated": True})
    model_settings: ModelSettings | None = None
    context_window_limit: int | None = Field(None, gt=0)
    embedding: str | None = None
    embedding_config: EmbeddingConfig | None = None
    compaction_settings: CompactionSettings | None = None
    response_format: ResponseFormat | None = None
    max_tokens: int | None = Field(None, gt=0, json_schema_extra={"deprecated": True})
    reasoning: bool | None = Field(None, json_schema_extra={"deprecated": True})
    parallel_tool_calls: bool | None = Field(None, json_schema_extra={"deprecated": True})
    block_ids: list[BlockId] | None = None
    tool_ids: list[ToolId] | None = None
    tool_rules: list[ToolRule] | None = None
    tags: list[Tag] | None = None
    folder_ids: list[FolderId] | None = None
    source_ids: list[FolderId] | None = Field(None, json_schema_extra={"deprecated": True})
    identity_ids: list[IdentityId] | None = None
    message_ids: list[MessageId] | None = None
    secrets: dict[Text, str] | None = Field(
        None, max_length=1000, validation_alias=AliasChoices("secrets", "tool_exec_environment_variables")
    )
    timezone: Timezone | None = None
    message_buffer_autoclear: bool | None = None
    enable_sleeptime: bool | None = None
    multitask_strategy: MultitaskStrategy | None = None
    max_files_open: int | None = Field(None, ge=1, le=1000)
    per_file_view_window_char_limit: int | None = Field(None, ge=1, le=2_147_483_647)
    hidden: bool | None = None
    project_id: Text | None = None
    template_id: Text | None = None
    base_template_id: Text | None = None
    last_run_completion: datetime | None = None
    last_run_duration_ms: int | None = None
    last_stop_reason: StopReason | None = None
