"""The metadata all tables share, and the columns most of them have."""

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import JSON, Column, DateTime, Dialect, ForeignKey, MetaData, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def json_text(value: Any) -> str:
    """How engines write a value of a `Json` column."""
    return orjson.dumps(value).decode()


class Moment(TypeDecorator[datetime]):
    """A UTC time with microseconds; SQLite keeps it without a zone, Python always sees one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


def id_column() -> Column[str]:
    """The primary key: an id of the wire."""
    return Column("id", String, primary_key=True)


def organization_column() -> Column[str]:
    """The tenant a row belongs to."""
    return Column(
        "organization_id",
        String,
        ForeignKey("organizations.id", ondelete="CASCADE"),
        nullable=False,
    )


def moment(name: str, **options: Any) -> Column[datetime]:
    """A column of time."""
    return Column(name, Moment, **options)


def stamps() -> tuple[Column[datetime], Column[datetime]]:
    """When a row was made and last changed."""
    return moment("created_at", nullable=False), moment("updated_at", nullable=False)
