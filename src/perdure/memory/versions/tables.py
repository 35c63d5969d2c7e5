"""The versions of memory blocks."""

from sqlalchemy import Column, Integer, LargeBinary, PrimaryKeyConstraint, String, Table

from perdure.db.schema import Json, metadata, moment, organization_column

block_versions = Table(
    "block_versions",
    metadata,
    Column("block_id", String, nullable=False),  # no foreign key: the past may outlast its block
    organization_column(),
    Column("version", Integer, nullable=False),
    Column("action", String, nullable=False),  # create, update, undo, redo, restore, delete
    Column("of", Integer),  # the version that an undo, a redo or a restore went to
    Column("user_id", String),
    Column("agent_id", String),
    Column("run_id", String),
    Column("tool", String),
    Column("changed", Json, nullable=False),  # the names of the fields that did
    Column("fields", Json, nullable=False),  # those beside the value that changed; all, where it is whole
    Column("value_delta", LargeBinary),  # see `delta`; null where the value stayed
    Column("chars", Integer, nullable=False),
    moment("created_at", nullable=False),
    PrimaryKeyConstraint("block_id", "version"),
)
