"""Which folders agents see, and which files they have opened."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, PrimaryKeyConstraint, String, Table

from perdure.db.schema import metadata, moment

agents_folders = Table(
    "agents_folders",
    metadata,
    Column("agent_id", String, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
    Column("folder_id", String, ForeignKey("folders.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("agent_id", "folder_id"),
)

# A file that was never opened has no row. Lines are counted from 1; without the last: to the file's end.
agents_files = Table(
    "agents_files",
    metadata,
    Column("agent_id", String, ForeignKey("agents.id", ondelete="CASCADE"), nullable=False),
    Column("file_id", String, ForeignKey("files.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("is_open", Boolean, nullable=False),
    Column("first_line", Integer, nullable=False),
    Column("last_line", Integer),
    moment("last_accessed_at", nullable=False),
    PrimaryKeyConstraint("agent_id", "file_id"),
)
