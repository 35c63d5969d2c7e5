"""The tables of sandbox configurations and of their variables."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from perdure.db.schema import Json, id_column, metadata, organization_column, stamps
from perdure.tenancy.sealed import sealed_column

sandbox_configs = Table(
    "sandbox_configs",
    metadata,
    id_column(),
    organization_column(),
    Column("type", String, nullable=False),
    Column("config", Json, nullable=False),
    Column("created_by", String),
    Column("updated_by", String),
    *stamps(),
    Index(None, "organization_id", "type", unique=True),
)

sandbox_variables = Table(
    "sandbox_variables",
    metadata,
    id_column(),
    organization_column(),
    Column("sandbox_config_id", String, ForeignKey("sandbox_configs.id", ondelete="CASCADE"), nullable=False),
    Column("key", String, nullable=False),
    sealed_column("value"),
    Column("description", Text),
    Column("created_by", String),
    Column("updated_by", String),
    *stamps(),
    Index(None, "sandbox_config_id", "key", unique=True),
    Index(None, "organization_id"),
)
