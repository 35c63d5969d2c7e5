"""`CreateAgent`: what an agent can be made of."""

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from perdure.agents.schemas.compaction import CompactionSettings
from perdure.agents.schemas.llm_config import LLMConfig
from perdure.agents.schemas.messages import FirstMessage
from perdure.agents.schemas.model_settings import ModelSettings, ResponseFormat
from perdure.agents.schemas.types import (
    AgentName,
    AgentType,
    IdentityId,
    MultitaskStrategy,
    StoredJson,
    Tag,
    Text,
    Timezone,
)
from perdure.embeddings.schemas import EmbeddingConfig
from perdure.kit.ids import BlockId, FolderId, ToolId
from perdure.memory.schemas import CreateBlock
from perdure.tools.rules import ToolRule


class CreateAgent(BaseModel):
    """A new agent. Everything has a default; fields that are no longer used are ignored."""

    model_config = ConfigDict(protected_namespaces=())

    name: AgentName | None = Field(None, description="Random if not given; need not be unique.")
    description: Text | None = None
    metadata: StoredJson | None = None
    agent_type: AgentType = "letta_v1_agent"
    system: Text | None = Field(None, description="The base prompt; a stock one by agent type if not given.")
    model: str | None = Field(None, description="Handle `<provider name>/<model>`; a default if not given.")
    llm_config: LLMConfig | None = Field(None, json_schema_extra={"deprecated": True})
    model_settings: ModelSettings | None = None
    context_window_limit: int | None = Field(None, gt=0)
    embedding: str | None = Field(None, description="Handle of an embedding model.")
    embedding_config: EmbeddingConfig | None = Field(None, json_schema_extra={"deprecated": True})
    compaction_settings: CompactionSettings | None = None
    response_format: ResponseFormat | None = None
    max_tokens: int | None = Field(None, gt=0, json_schema_extra={"deprecated": True})
    max_reasoning_tokens: int | None = Field(None, ge=0, json_schema_extra={"deprecated": True})
    enable_reasoner: bool | None = Field(None, json_schema_extra={"deprecated": True})
    reasoning: bool | None = Field(None, json_schema_extra={"deprecated": True})
    parallel_tool_calls: bool | None = Field(None, json_schema_extra={"deprecated": True})
    memory_blocks: list[CreateBlock] | None = None
    block_ids: list[BlockId] | None = None
    tools: list[str] | None = Field(None, description="Names of tools.")
    tool_ids: list[ToolId] | None = None
    include_base_tools: bool = True
    include_multi_agent_tools: bool = False
    include_base_tool_rules: bool | None = None
    tool_rules: list[ToolRule] | None = None
    tags: list[Tag] | None = None
    folder_ids: list[FolderId] | None = None
    source_ids: list[FolderId] | None = Field(None, json_schema_extra={"deprecated": True})
    identity_ids: list[IdentityId] | None = None
    secrets: dict[Text, str] | None = Field(
        None, max_length=1000, validation_alias=AliasChoices("secrets", "tool_exec_environment_variables")
    )
    initial_message_sequence: list[FirstMessage] | None = None
    timezone: Timezone | None = None
    message_buffer_autoclear: bool = False
    enable_sleeptime: bool | None = None
    multitask_strategy: MultitaskStrategy | None = None
    max_files_open: int | None = Field(None, ge=1, le=1000)
    per_file_view_window_char_limit: int | None = Field(None, ge=1, le=2_147_483_647)
    hidden: bool | None = None
    project_id: Text | None = None
    template_id: Text | None = None
    base_template_id: Text | None = None
