"""The providers an organization sees: its own and those without a row, read seldom and kept briefly."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from perdure.db import Database
from perdure.kit.clock import monotonic_ns
from perdure.kit.shared import Shared
from perdure.providers import store
from perdure.providers.entries import ModelEntry, ResolvedModel
from perdure.providers.store import Listing
from perdure.providers.tables import ProviderRow
from perdure.tenancy.actor import Actor

FRESH_NS = 5_000_000_000  # how long another server's change of a provider may go unseen
MOST_VIEWS = 1000


@dataclass(slots=True)
class View:
    """One organization's providers by name, and what was made of them while they did not change."""

    rows: Mapping[str, ProviderRow]
    read_ns: int
    resolved: dict[str, ResolvedModel] = field(default_factory=dict[str, ResolvedModel])
    entries: list[ModelEntry] | None = None


class Directory:
    """Views of all organizations. `learn` is told of stored model lists that are read along the way."""

    def __init__(
        self,
        db: Database,
        base: Iterable[ProviderRow],
        learn: Callable[[Mapping[str, Listing]], None],
    ):
        self._db = db
        self._learn = learn
        self._base = {row.name: row for row in base}
        self._views: dict[str, View] = {}
        self._reading: Shared[View] = Shared("read-providers")
        self._actors: dict[str, Actor] = {}

    def base(self) -> list[ProviderRow]:
        """The providers without a row."""
        return list(self._base.values())

    def base_named(self, name: str) -> ProviderRow | None:
        """A provider without a row, by name."""
        return self._base.get(name)

    def base_with_id(self, provider_id: str) -> ProviderRow | None:
        """A provider without a row, by id."""
        return next((row for row in self._base.values() if row.id == provider_id), None)

    def add(self, rows: Iterable[ProviderRow]) -> list[ProviderRow]:
        """Offer more providers without a row; names that are taken stay. Returns those added."""
        added = [row for row in rows if row.name not in self._base]
        if added:
            self._base |= {row.name: row for row in added}
            self.forget()
        return added

    def actors(self) -> list[Actor]:
        """One actor of each organization seen lately."""
        return list(self._actors.values())

    def forget(self, organization_id: str | None = None) -> None:
        """Read again at the next question: one organization's providers, or everyone's."""
        self._reading.drop(organization_id)
        if organization_id is None:
            self._views.clear()
        else:
            self._views.pop(organization_id, None)

    async def close(self) -> None:
        """Stop reading."""
        await self._reading.close()

    async def view(self, actor: Actor) -> View:
        """What the organization sees; at most `FRESH_NS` old, and after a local write never old."""
        view = self._views.get(actor.organization_id)
        if view is None or monotonic_ns() - view.read_ns > FRESH_NS:
            return await self._reading.get(actor.organization_id, lambda: self._read(actor))
        return view

    async def _read(self, actor: Actor) -> View:
        key = actor.organization_id
        mine, listings = await self._db.read(_providers_and_lists, actor)
        self._learn(listings)
        rows = {**self._base, **{row.name: row for row in mine}}
        view = self._views.get(key)
        if view is not None and view.rows == rows:
            view.read_ns = monotonic_ns()
            return view
        view = View(rows, monotonic_ns())
        if self._reading.counts(key):  # else a write came between: this is old news
            if len(self._views) >= MOST_VIEWS:
                self._views.clear()
                self._actors.clear()
            self._views[key] = view
            self._actors[key] = actor
        return view


def _providers_and_lists(conn: Connection, actor: Actor) -> tuple[list[ProviderRow], dict[str, Listing]]:
    return store.all_of(conn, actor), store.listings(conn, actor)
