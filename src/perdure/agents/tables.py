"""The tables of agents, their tags and secrets, and their links to blocks, archives and tools."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from perdure.db.schema import Json, id_column, metadata, moment, organization_column, stamps
from perdure.tenancy.sealed import sealed_column


def _agent_column() -> Column[str]:
    return Column("agent_id", String, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False)


agents = Table(
    "agents",
    metadata,
    id_column(),
    organization_column(),
    Column("name", String, nullable=False),
    Column("description", Text),
    Column("metadata", Json, nullable=False),
    Column("agent_type", String, nullable=False),
    Column("system", Text, nullable=False),
    Column("model", String, nullable=False),
    Column("model_settings", Json, nullable=False),
    Column("context_window_limit", Integer),
    Column("embedding", String),
    Column("compaction_settings", Json, nullable=False),
    Column("tool_rules", Json, nullable=False),
    Column("timezone", String, nullable=False),
    Column("message_buffer_autoclear", Boolean, nullable=False),
    Column("enable_sleeptime", Boolean, nullable=False),
    Column("multitask_strategy", String),
    Column("max_files_open", Integer),
    Column("per_file_view_window_char_limit", Integer),
    Column("has_folders", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("project_id", String),
    Column("template_id", String),
    Column("base_template_id", String),
    Column("deployment_id", String),
    Column("entity_id", String),
    moment("last_run_completion"),
    Column("last_run_duration_ms", Integer),
    Column("last_stop_reason", String),
    Column("created_by_id", String),
    Column("last_updated_by_id", String),
    *stamps(),
    Index(None, "organization_id", "created_at", "id"),
)

agents_blocks = Table(
    "agents_blocks",
    metadata,
    _agent_column(),
    Column("block_id", String, nullable=False, index=True),
    Column("label", String, nullable=False),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("agent_id", "block_id"),
    UniqueConstraint("agent_id", "label"),
    # The label follows its block: renaming one block for all agents is then refused by the
    # database where it would give an agent two blocks of one label.
    ForeignKeyConstraint(
        ["block_id", "label"], ["blocks.id", "blocks.label"], ondelete="CASCADE", onupdate="CASCADE"
    ),
)

# The spans of time in which an agent has or had a block in a place; of the blocks above the open ones.
agents_blocks_past = Table(
    "agents_blocks_past",
    metadata,
    id_column(),
    _agent_column(),
    Column("block_id", String, nullable=False, index=True),  # no foreign key: it may be deleted by now
    Column("position", Integer, nullable=False),
    moment("since", nullable=False),
    moment("until"),
    Index(None, "agent_id", "since"),
)

conversations_blocks = Table(
    "conversations_blocks",
    metadata,
    Column("conversation_id", String, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("block_id", String, ForeignKey("blocks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("label", String, nullable=False),  # of the agent's block that this one stands in for
    PrimaryKeyConstraint("conversation_id", "block_id"),
    UniqueConstraint("conversation_id", "label"),
)

agents_archives = Table(
    "agents_archives",
    metadata,
    _agent_column(),
    Column("archive_id", String, ForeignKey("archives.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),  # an agent writes to the first
    PrimaryKeyConstraint("agent_id", "archive_id"),
)

agents_tools = Table(
    "agents_tools",
    metadata,
    _agent_column(),
    Column("tool_id", String, ForeignKey("tools.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("agent_id", "tool_id"),
)

agents_tags = Table(
    "agents_tags",
    metadata,
    _agent_column(),
    Column("tag", String, nullable=False),
    PrimaryKeyConstraint("agent_id", "tag"),
    Index(None, "tag"),
)

agents_secrets = Table(
    "agents_secrets",
    metadata,
    id_column(),
    organization_column(),
    _agent_column(),
    Column("key", String, nullable=False),
    sealed_column("sealed"),
    *stamps(),
    UniqueConstraint("agent_id", "key"),
)
