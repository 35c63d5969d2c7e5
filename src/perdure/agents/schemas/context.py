"""What fills a context window, on the wire."""

from pydantic import BaseModel

from perdure.agents.schemas.types import Json


class ContextShares(BaseModel):
    """About how many tokens each section takes."""

    num_tokens_system: int
    num_tokens_core_memory: int
    num_tokens_memory_filesystem: int = 0
    num_tokens_tool_usage_rules: int = 0
    num_tokens_directories: int = 0
    num_tokens_external_memory_summary: int
    num_tokens_summary_memory: int
    num_tokens_functions_definitions: int
    num_tokens_messages: int


class ContextOverview(ContextShares):
    """The texts of the sections, and how much there is of everything."""

    context_window_size_max: int
    context_window_size_current: int
    num_messages: int
    num_archival_memory: int
    num_recall_memory: int
    system_prompt: str
    core_memory: str
    memory_filesystem: str | None = None
    tool_usage_rules: str | None = None
    directories: str | None = None
    external_memory_summary: str
    summary_memory: str | None = None
    functions_definitions: list[Json] | None = None
    messages: list[Json]
