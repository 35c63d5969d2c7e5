"""Providers of an organization and the model lists of all providers, stored."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    Connection,
    Row,
    Select,
    delete,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError

from perdure.db.insert import insert_new
from perdure.kit.clock import now
from perdure.kit.errors import Conflict, NotFound
from perdure.kit.paging import Page, paginate
from perdure.providers.endpoint import ListedModel
from perdure.providers.tables import ProviderRow, model_lists, providers
from perdure.tenancy.actor import Actor, is_owned, one, owned

MODELS = TypeAdapter(tuple[ListedModel, ...])

# Providers without a row are listed as older than any row, in an order that never changes.
TIMELESS = datetime(2000, 1, 1, tzinfo=UTC)


class ProviderNotFound(NotFound):
    """No provider of the organization has this id."""

    def __init__(self, provider_id: str):
        super().__init__(f"No provider has the id {provider_id}.")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a provider last said it serves, and how its last refusal went. Null times: never."""

    models: tuple[ListedModel, ...] = ()
    listed_at: datetime | None = None
    error: str | None = None
    failed_at: datetime | None = None
    names: frozenset[str] = field(default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(model.name for model in self.models))


def create(conn: Connection, row: ProviderRow) -> ProviderRow:
    """Store a new provider; raises `Conflict` if the organization has one of that name."""
    at = now()
    values = {name: getattr(row, name) for name in STORED} | {"created_at": at, "updated_at": at}
    try:
        conn.execute(insert(providers).values(values))
    except IntegrityError as error:
        raise Conflict(
            f"A provider named {row.name!r} exists already; PATCH it, delete it or choose another name."
        ) from error
    return _row(conn.execute(select(providers).where(providers.c.id == row.id)).one())


def get(conn: Connection, actor: Actor, provider_id: str) -> ProviderRow:
    """One provider of the organization."""
    row = one(conn, providers, actor, provider_id)
    if row is None:
        raise ProviderNotFound(provider_id)
    return _row(row)


def all_of(conn: Connection, actor: Actor) -> list[ProviderRow]:
    """Every provider of the organization, oldest first."""
    query = owned(providers, actor).order_by(providers.c.created_at, providers.c.id)
    return [_row(row) for row in conn.execute(query)]


def ids_by_name(conn: Connection, actor: Actor, names: Collection[str]) -> dict[str, str]:
    """The ids of those of the organization's providers that have these names."""
    query = owned(providers, actor).where(providers.c.name.in_(names))
    return {row.name: row.id for row in conn.execute(query)}


def page_of(
    conn: Connection,
    actor: Actor,
    page: Page,
    base: Iterable[ProviderRow] = (),
    *,
    name: str | None = None,
    provider_type: str | None = None,
) -> list[ProviderRow]:
    """A page of the organization's providers and of those without a row, all in one order."""
    without_row = {row.id: row for row in base}
    ids = owned(providers, actor).with_only_columns(*LISTED)
    everything = union_all(ids, *map(_as_select, without_row.values())).subquery()
    query: Select[Any] = select(everything)
    if name is not None:
        query = query.where(everything.c.name == name)
    if provider_type is not None:
        query = query.where(everything.c.provider_type == provider_type)
    found = [row.id for row in paginate(conn, query, page, key=everything.c.created_at, id=everything.c.id)]
    stored = conn.execute(owned(providers, actor).where(providers.c.id.in_(found)))
    rows = without_row | {row.id: _row(row) for row in stored}
    return [rows[provider_id] for provider_id in found]


LISTED = (providers.c.id, providers.c.name, providers.c.provider_type, providers.c.created_at)


def _as_select(row: ProviderRow) -> Select[Any]:
    values = (row.id, row.name, row.provider_type, TIMELESS)
    literals = (literal(value, column.type) for value, column in zip(values, LISTED, strict=True))
    return select(
        *(expression.label(column.name) for expression, column in zip(literals, LISTED, strict=True))
    )


def change(conn: Connection, actor: Actor, provider_id: str, values: Mapping[str, Any]) -> ProviderRow:
    """Change some columns of a provider."""
    statement = update(providers).where(is_owned(providers, actor), providers.c.id == provider_id)
    conn.execute(statement.values(**values, updated_at=now()))
    return get(conn, actor, provider_id)


def remove(conn: Connection, actor: Actor, provider_id: str) -> None:
    """Delete a provider and its list; its name is free again."""
    get(conn, actor, provider_id)
    conn.execute(delete(providers).where(is_owned(providers, actor), providers.c.id == provider_id))
    conn.execute(delete(model_lists).where(model_lists.c.provider_id == provider_id))


def listings(conn: Connection, actor: Actor) -> dict[str, Listing]:
    """The last known lists, by provider id, of the organization's providers and of those without a row."""
    mine = or_(is_owned(model_lists, actor), model_lists.c.organization_id.is_(None))
    return {row.provider_id: _listing(row) for row in conn.execute(select(model_lists).where(mine))}


def save_listing(conn: Connection, row: ProviderRow, listing: Listing) -> None:
    """Keep a provider's list; nothing happens if the provider has been deleted meanwhile."""
    if row.organization_id is not None:
        alive = conn.execute(select(providers.c.id).where(providers.c.id == row.id)).first()
        if alive is None:
            return
    values: dict[str, Any] = {
        "models": MODELS.dump_python(listing.models, mode="json", exclude_none=True),
        "listed_at": listing.listed_at,
        "error": listing.error,
        "failed_at": listing.failed_at,
    }
    mine = model_lists.c.provider_id == row.id
    if not conn.execute(update(model_lists).where(mine).values(values)).rowcount:
        key = {"provider_id": row.id, "organization_id": row.organization_id}
        insert_new(conn, model_lists, [key | values])


STORED = (
    "id",
    "organization_id",
    "name",
    "provider_type",
    "base_url",
    "api_key",
    "access_key",
    "region",
    "api_version",
)


def _row(row: Row[Any]) -> ProviderRow:
    return ProviderRow(**{name: getattr(row, name) for name in (*STORED, "created_at", "updated_at")})


def _listing(row: Row[Any]) -> Listing:
    return Listing(MODELS.validate_python(row.models), row.listed_at, row.error, row.failed_at)
