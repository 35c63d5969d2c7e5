"""Tables: runs, the frames of their streams, steps, and the raw exchanges with providers."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    false,
    text,
)

from perdure.db.schema import Json, id_column, metadata, moment, organization_column

IS_OPEN = text("status IN ('created', 'running')")

runs = Table(
    "runs",
    metadata,
    id_column(),
    organization_column(),
    Column("agent_id", String, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("conversation_id", String),
    Column("status", String, nullable=False),
    Column("background", Boolean, nullable=False),
    Column("stop_reason", String),
    Column("metadata", Json),
    Column("request_config", Json),
    Column("request", Json),  # all that another process needs to go on with it
    Column("usage", Json),
    Column("error", Json),
    Column("ttft_ns", BigInteger),
    Column("total_duration_ns", BigInteger),
    Column("lease_owner", String),
    moment("lease_expires"),
    Column("cancel_requested", Boolean, nullable=False, server_default=false()),
    Column("attempt", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    moment("created_at", nullable=False),
    moment("completed_at"),
    Column("callback_url", String),
    moment("callback_due"),  # when to call at the earliest, once the run has ended; null when all is said
    Column("callback_tries", Integer, nullable=False, server_default="0"),
    moment("callback_sent_at"),
    Column("callback_status_code", Integer),
    Column("callback_error", String),
    Index("ix_runs_agent_id_created_at", "agent_id", "created_at", "id"),
    Index("ix_runs_organization_id_created_at", "organization_id", "created_at", "id"),
    # The few that have not ended: in line for their thread.
    Index(
        "ix_runs_thread_id_open", "thread_id", "created_at", sqlite_where=IS_OPEN, postgresql_where=IS_OPEN
    ),
    # One writer per history, whatever the route, the process or the replica.
    Index(
        "ux_runs_thread_id_running",
        "thread_id",
        unique=True,
        sqlite_where=text("status = 'running'"),
        postgresql_where=text("status = 'running'"),
    ),
    Index(
        "ix_runs_callback_due",
        "callback_due",
        sqlite_where=text("callback_due IS NOT NULL"),
        postgresql_where=text("callback_due IS NOT NULL"),
    ),
)

# What streams of durable runs showed, for readers who come later or from another server. Rows are written
# many at once and read in the order of their key: no other index, and on SQLite no second tree beside it.
run_frames = Table(
    "run_frames",
    metadata,
    Column("run_id", String, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("event", String),
    Column("data", Text, nullable=False),  # as on the wire: the reader who comes back gets the same bytes
    sqlite_with_rowid=False,
)

steps = Table(
    "steps",
    metadata,
    id_column(),
    organization_column(),
    Column("run_id", String, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("agent_id", String, nullable=False),
    Column("provider_name", String, nullable=False),
    Column("provider_category", String, nullable=False),
    Column("model", String, nullable=False),
    Column("model_handle", String, nullable=False),
    Column("model_endpoint", String),
    Column("context_window_limit", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("stop_reason", String),
    Column("usage", Json),
    Column("error_type", String),
    Column("error_data", Json),
    Column("feedback", String),
    Column("tags", Json),
    Column("aside", Boolean, nullable=False),
    Column("model_ns", BigInteger),
    Column("tools_ns", BigInteger),
    Column("ttft_ns", BigInteger),
    Column("started_ns", BigInteger),
    Column("step_ns", BigInteger),
    moment("created_at", nullable=False),
    moment("completed_at"),
    Index("ix_steps_run_id_created_at", "run_id", "created_at", "id"),
    Index("ix_steps_organization_id_created_at", "organization_id", "created_at", "id"),
)

traces = Table(
    "traces",
    metadata,
    id_column(),
    organization_column(),
    Column("step_id", String, ForeignKey("steps.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("url", String, nullable=False),
    Column("status", Integer),
    Column("request", LargeBinary, nullable=False),  # zlib
    Column("response", LargeBinary, nullable=False),  # zlib
    moment("created_at", nullable=False),
)
