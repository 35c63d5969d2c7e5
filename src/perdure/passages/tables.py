"""The table of passages, and what they are found by."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from perdure.db.schema import Json, id_column, metadata, organization_column, stamps
from perdure.db.search import corpus

passages = Table(
    "passages",
    metadata,
    id_column(),
    organization_column(),
    Column("archive_id", String, ForeignKey("archives.id", ondelete="CASCADE")),
    Column("source_id", String, ForeignKey("folders.id", ondelete="CASCADE")),
    Column("file_id", String, ForeignKey("files.id", ondelete="CASCADE"), index=True),
    Column("text", Text, nullable=False),
    Column("tags", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("digest", String, nullable=False),  # of what it says; spacing aside
    # Which agent wrote it, in which run, step and message; null for what came by a request.
    Column("agent_id", String),
    Column("run_id", String),
    Column("step_id", String),
    Column("message_id", String),
    Column("created_by_id", String),
    Column("last_updated_by_id", String),
    *stamps(),  # the first is as the caller says: when it happened, or was noted
    Index("ix_passages_archive_id_created_at", "archive_id", "created_at", "id"),
    Index("ix_passages_archive_id_digest", "archive_id", "digest"),
    Index("ix_passages_source_id_created_at", "source_id", "created_at", "id"),
    Index("ix_passages_organization_id_created_at", "organization_id", "created_at", "id"),
)

PASSAGES = corpus(passages, passages.c.text)  # a passage's scope is its archive or its folder
