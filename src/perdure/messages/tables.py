"""Tables: threads, messages, which of them forks share, and which are in a thread's context."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, Table, Text, text

from perdure.db.schema import Json, id_column, metadata, moment, organization_column
from perdure.db.search import corpus

threads = Table(
    "threads",
    metadata,
    id_column(),  # the agent's id for its own history, a conversation's id for another
    organization_column(),
    Column("agent_id", String, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("prompt_message_id", String, nullable=False),
    Column("prompt_fingerprint", String, nullable=False),
    moment("created_at", nullable=False),
)

messages = Table(
    "messages",
    metadata,
    id_column(),
    organization_column(),
    Column("agent_id", String, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("role", String, nullable=False),
    Column("parts", Json, nullable=False),
    Column("text", Text, nullable=False),
    Column("name", String),
    Column("otid", String),
    Column("sender_id", String),
    Column("group_id", String),
    Column("run_id", String, index=True),
    Column("step_id", String, index=True),
    Column("is_err", Boolean, nullable=False),
    moment("created_at", nullable=False),
    Index("ix_messages_agent_id_created_at", "agent_id", "created_at", "id"),
    Index("ix_messages_thread_id_created_at", "thread_id", "created_at", "id"),
    Index("ix_messages_organization_id_created_at", "organization_id", "created_at", "id"),
    # What senders named themselves, to know it again when it comes twice.
    Index(
        "ix_messages_thread_id_otid",
        "thread_id",
        "otid",
        sqlite_where=text("otid IS NOT NULL"),
        postgresql_where=text("otid IS NOT NULL"),
    ),
)

# All but compiled prompts; the scope is the agent, the series the thread.
MESSAGES = corpus(messages, messages.c.text)

# What a fork has of the history it came from: said in another thread, belonging to this one, too.
shared_messages = Table(
    "shared_messages",
    metadata,
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    Column("message_id", String, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True, index=True),
)

context_entries = Table(
    "context_entries",
    metadata,
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", String, ForeignKey("messages.id", ondelete="CASCADE"), nullable=False, index=True),
)
