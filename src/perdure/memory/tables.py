"""Memory blocks: labelled texts that agents carry in their prompt and may share."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, UniqueConstraint

from perdure.db.schema import Json, id_column, metadata, organization_column, stamps

blocks = Table(
    "blocks",
    metadata,
    id_column(),
    organization_column(),
    Column("label", String, nullable=False),
    Column("value", String, nullable=False),
    Column("limit", Integer, nullable=False),
    Column("description", String),
    Column("read_only", Boolean, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("tags", Json, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("is_template", Boolean, nullable=False),
    Column("template_name", String),
    Column("template_id", String),
    Column("base_template_id", String),
    Column("deployment_id", String),
    Column("entity_id", String),
    Column("preserve_on_migration", Boolean, nullable=False),
    Column("project_id", String),
    Column("created_by", String),
    Column("updated_by", String),
    Column("version", Integer, nullable=False),
    *stamps(),
    UniqueConstraint("id", "label"),  # links to agents carry the label, so that it is unique per agent
    Index(None, "organization_id", "created_at"),
    Index(None, "organization_id", "label"),
)
