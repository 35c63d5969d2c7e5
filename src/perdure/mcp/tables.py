"""MCP servers, the tools that came from them, and who has allowed us to use them."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from perdure.db.schema import Json, id_column, metadata, moment, organization_column, stamps
from perdure.tenancy.sealed import sealed_column


def _server_column() -> Column[str]:
    return Column("server_id", String, ForeignKey("mcp_servers.id", ondelete="CASCADE"), nullable=False)


# `secrets` is JSON: auth_token, custom_headers, env. `drift` is how the remote tools differ from ours.
mcp_servers = Table(
    "mcp_servers",
    metadata,
    id_column(),
    organization_column(),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("url", Text),
    Column("auth_header", String),
    Column("command", Text),
    Column("args", Json),
    sealed_column("secrets"),
    moment("connected_at"),
    moment("failed_at"),
    Column("error", Text),
    Column("drift", Json),
    *stamps(),
    Index(None, "organization_id", "name", unique=True),
)

mcp_tools = Table(
    "mcp_tools",
    metadata,
    Column("tool_id", String, ForeignKey("tools.id", ondelete="CASCADE"), primary_key=True),
    _server_column(),
    Column("name", String, nullable=False),  # what the remote server calls it
    Column("digest", String, nullable=False),
    Index(None, "server_id", "name", unique=True),
)

# What a person allowed at a server's address: the client we registered as, its tokens, who issued them.
mcp_grants = Table(
    "mcp_grants",
    metadata,
    id_column(),
    organization_column(),
    Column("url", Text, nullable=False),
    sealed_column("grant"),
    moment("refreshing_until"),
    *stamps(),
    Index(None, "organization_id", "url", unique=True),
)

# A login under way. Its id is known to whoever waits, its state to the browser; the answer comes once.
mcp_logins = Table(
    "mcp_logins",
    metadata,
    id_column(),
    organization_column(),
    Column("state_digest", String, nullable=False, unique=True),
    moment("expires_at", nullable=False),
    sealed_column("answer"),
    *stamps(),
)
