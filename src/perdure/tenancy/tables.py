"""Organizations, their users, and the keys that speak for them."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, String, Table

from perdure.db.schema import id_column, metadata, moment, organization_column, stamps
from perdure.tenancy.sealed import sealed_column

organizations = Table(
    "organizations",
    metadata,
    id_column(),
    Column("name", String, nullable=False),
    Column("privileged_tools", Boolean, nullable=False),
    *stamps(),
)

users = Table(
    "users",
    metadata,
    id_column(),
    organization_column(),
    Column("name", String, nullable=False),
    *stamps(),
    Index(None, "organization_id", "created_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    id_column(),
    organization_column(),
    Column("user_id", String, ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("name", String, nullable=False),
    Column("prefix", String, nullable=False, unique=True),
    Column("digest", String, nullable=False),
    Column("digest_key", String, nullable=False),
    Column("admin", Boolean, nullable=False),
    moment("expires_at"),
    *stamps(),
    Index(None, "organization_id", "name", unique=True),
)

signing_secrets = Table(
    "signing_secrets",
    metadata,
    id_column(),
    organization_column(),
    sealed_column("secret"),
    *stamps(),
    Index(None, "organization_id", unique=True),
)
