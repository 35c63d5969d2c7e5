"""The table of conversations. A conversation's history is the thread of the same id."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from perdure.db.schema import Json, metadata, moment, organization_column, stamps

conversations = Table(
    "conversations",
    metadata,
    Column("id", String, ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    organization_column(),
    Column("agent_id", String, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
    Column("summary", Text),
    Column("description", Text),
    Column("model", String),
    Column("model_settings", Json),
    Column("context_window_limit", Integer),
    Column("hidden", Boolean, nullable=False),
    moment("archived_at"),
    moment("last_message_at"),
    moment("last_run_completion"),
    Column("created_by_id", String),
    Column("last_updated_by_id", String),
    *stamps(),
    Index(None, "organization_id", "created_at", "id"),
    Index(None, "agent_id", "created_at", "id"),
)
