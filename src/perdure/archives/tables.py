"""The table of archives. Which agents have them is kept by `agents`."""

from sqlalchemy import Boolean, Column, Index, String, Table, Text

from perdure.db.schema import Json, id_column, metadata, organization_column, stamps

archives = Table(
    "archives",
    metadata,
    id_column(),
    organization_column(),
    Column("name", String, nullable=False),
    Column("description", Text),
    Column("embedding", String),  # the handle of its embedding model; null: found by words only
    Column("space", String),  # that model's vectors
    Column("deduplicate", Boolean, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("created_by_id", String),
    Column("last_updated_by_id", String),
    *stamps(),
    Index("ix_archives_organization_id_created_at", "organization_id", "created_at", "id"),
)
