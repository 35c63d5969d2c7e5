"""The tables of providers and of the models they last listed, and what a provider is inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import Column, ForeignKey, String, Table, Text, UniqueConstraint

from perdure.db.schema import Json, id_column, metadata, moment, organization_column, stamps
from perdure.tenancy.sealed import sealed_column

Origin = Literal["api", "environment", "config", "detected"]
Category = Literal["base", "byok"]

providers = Table(
    "providers",
    metadata,
    id_column(),
    organization_column(),
    Column("name", String, nullable=False),
    Column("provider_type", String, nullable=False),
    Column("base_url", String),
    sealed_column("api_key"),
    sealed_column("access_key"),
    Column("region", String),
    Column("api_version", String),
    *stamps(),
    UniqueConstraint("organization_id", "name"),
)

# Providers of the environment have no row, so a list belongs to an id rather than to a row.
model_lists = Table(
    "model_lists",
    metadata,
    Column("provider_id", String, primary_key=True),
    Column("organization_id", String, ForeignKey("organizations.id", ondelete="CASCADE"), index=True),
    Column("models", Json, nullable=False),
    moment("listed_at"),
    Column("error", Text),
    moment("failed_at"),
)


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A provider, whatever its origin.

    Its keys are sealed when the origin is `api`; the others' never reach the database and are plain.
    Only a row of origin `api` has an organization and times.
    """

    id: str
    name: str
    provider_type: str
    origin: Origin = "api"
    organization_id: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    region: str | None = None
    api_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def category(self) -> Category:
        """How the wire sorts providers: the server's own, or brought by the caller."""
        return "byok" if self.origin == "api" else "base"
