"""The tables of folders and files. Uploads are kept in pieces until they are read, their texts for good."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from perdure.db.schema import Json, id_column, metadata, moment, organization_column, stamps

folders = Table(
    "folders",
    metadata,
    id_column(),
    organization_column(),
    Column("name", String, nullable=False),
    Column("description", Text),
    Column("instructions", Text),
    Column("metadata", Json, nullable=False),
    Column("embedding", String),
    Column("chunk_size", Integer, nullable=False),
    Column("created_by_id", String),
    Column("last_updated_by_id", String),
    *stamps(),
    UniqueConstraint("organization_id", "name"),
    Index(None, "organization_id", "created_at", "id"),
)

files = Table(
    "files",
    metadata,
    id_column(),
    organization_column(),
    Column("folder_id", String, ForeignKey("folders.id", ondelete="CASCADE"), nullable=False),
    Column("name", String, nullable=False),
    Column("original_name", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("charset", String),
    Column("size", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("error_message", Text),
    Column("characters", Integer),
    Column("lines", Integer),
    Column("chunks", Integer),
    Column("tries", Integer, nullable=False),
    Column("lease_owner", String),
    moment("lease_expires"),
    Column("created_by_id", String),
    *stamps(),
    UniqueConstraint("folder_id", "name"),
    Index(None, "folder_id", "created_at", "id"),
    # Empty on most servers at most times: who looks for work looks here.
    Index(
        "ix_files_open",
        "created_at",
        sqlite_where=text("status IN ('pending', 'parsing', 'embedding')"),
        postgresql_where=text("status IN ('pending', 'parsing', 'embedding')"),
    ),
)

# Pieces come before the row of their file, which is stored once all of it is there.
file_pieces = Table(
    "file_pieces",
    metadata,
    Column("file_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    moment("created_at", nullable=False, index=True),
    PrimaryKeyConstraint("file_id", "number"),
)

file_texts = Table(
    "file_texts",
    metadata,
    Column("file_id", String, ForeignKey("files.id", ondelete="CASCADE"), primary_key=True),
    Column("text", Text, nullable=False),
)
