"""Tools, one row for each an organization has; the built-in ones too."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table

from perdure.db.schema import Json, id_column, metadata, organization_column, stamps

tools = Table(
    "tools",
    metadata,
    id_column(),
    organization_column(),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("description", String, nullable=False),
    Column("source_type", String),
    Column("source_code", String),
    Column("json_schema", Json, nullable=False),
    Column("args_json_schema", Json),
    Column("tags", Json, nullable=False),
    Column("return_char_limit", Integer, nullable=False),
    Column("pip_requirements", Json),
    Column("npm_requirements", Json),
    Column("default_requires_approval", Boolean),
    Column("parallel", Boolean, nullable=False),
    Column("metadata", Json),
    Column("project_id", String),
    Column("created_by", String),
    Column("updated_by", String),
    Column("digest", String),
    *stamps(),
    Index(None, "organization_id", "name", unique=True),
    Index(None, "organization_id", "created_at"),
)
