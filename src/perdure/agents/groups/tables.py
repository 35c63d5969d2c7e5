"""The table of groups."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, text

from perdure.db.schema import id_column, metadata, moment, organization_column, stamps


def _agent_column(name: str) -> Column[str]:
    return Column(name, String, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False, unique=True)


groups = Table(
    "groups",
    metadata,
    id_column(),
    organization_column(),
    Column("manager_type", String, nullable=False),  # sleeptime, voice_sleeptime
    _agent_column("manager_agent_id"),  # the agent whose memory is looked after
    _agent_column("helper_agent_id"),  # the one that does
    Column("persona_block_id", String, nullable=False),  # the helper's own block
    Column("description", String, nullable=False),
    Column("frequency", Integer),  # after how many turns; null is never
    Column("turns_counter", Integer, nullable=False),  # turns since the last look was due, less one
    moment("due"),  # when to look at the earliest; null when nothing is to be done
    # The last look: up to which message, by which run. What it saw counts as seen once the run is completed.
    Column("look_message_id", String),
    moment("look_at"),
    Column("look_run_id", String),
    Column("seen_message_id", String),
    moment("seen_at"),
    *stamps(),
    Index(
        "ix_groups_due",
        "due",
        sqlite_where=text("due IS NOT NULL"),
        postgresql_where=text("due IS NOT NULL"),
    ),
    Index(None, "organization_id", "created_at"),
)
