"""The lists of models that providers gave: kept in memory and stored, asked for again in the background."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from perdure.db import Database
from perdure.kit.clock import now
from perdure.kit.errors import PerdureError
from perdure.kit.shared import Shared
from perdure.providers import store
from perdure.providers.base import ModelTimeout, ModelUnavailable
from perdure.providers.endpoint import ListedModel
from perdure.providers.store import Listing
from perdure.providers.tables import ProviderRow

log = logging.getLogger(__name__)
Ask = Callable[[ProviderRow], Awaitable[tuple[ListedModel, ...]]]

UNKNOWN = Listing()
RETRY = timedelta(seconds=60)  # how soon a provider that failed is asked again


class Listings:
    """What each provider serves, by its id. A dead provider keeps its last list, beside its error."""

    def __init__(self, db: Database, ask: Ask, changed: Callable[[], None]):
        self._db = db
        self._ask = ask
        self._changed = changed
        self._held: dict[str, Listing] = {}
        self._asking: Shared[Listing] = Shared("list-models")

    def of(self, row: ProviderRow) -> Listing:
        """The last known list of a provider; empty and without times if it never gave one."""
        return self._held.get(row.id, UNKNOWN)

    def learn(self, stored: Mapping[str, Listing]) -> None:
        """Take stored lists that are newer than what is held: another server may have asked since."""
        for provider_id, listing in stored.items():
            if _age(listing) > _age(self._held.get(provider_id, UNKNOWN)):
                self._held[provider_id] = listing

    def forget(self, provider_id: str) -> None:
        """Drop what was known of a provider; the answer to a question under way will not count."""
        self._held.pop(provider_id, None)
        self._asking.drop(provider_id)

    def is_due(self, row: ProviderRow, every: float) -> bool:
        """Whether it is time to ask again."""
        listing = self.of(row)
        if is_down(listing) and listing.failed_at is not None:
            return now() - listing.failed_at >= min(RETRY, timedelta(seconds=every))
        return listing.listed_at is None or now() - listing.listed_at >= timedelta(seconds=every)

    async def refresh(self, row: ProviderRow) -> Listing:
        """Ask the provider now; raises what it answered instead of a list. Callers share one question."""
        return await self._asking.get(row.id, lambda: self._refresh(row))

    async def refresh_all(self, rows: Iterable[ProviderRow]) -> None:
        """Ask several providers at once; failures are recorded, not raised."""
        outcomes = await asyncio.gather(*map(self.refresh, rows), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, PerdureError):
                log.error("A provider's list of models could not be read", exc_info=outcome)

    async def close(self) -> None:
        """Stop asking."""
        await self._asking.close()

    async def _refresh(self, row: ProviderRow) -> Listing:
        before = self.of(row)
        try:
            models = await self._ask(row)
        except PerdureError as error:
            await self._failed(row, before, error.detail)
            raise
        listing = Listing(models, listed_at=now())
        await self._keep(row, listing)
        return listing

    async def _failed(self, row: ProviderRow, before: Listing, detail: str) -> None:
        if before.error != detail:
            log.warning("Provider %s does not list its models: %s", row.name, detail)
        await self._keep(row, replace(before, error=detail, failed_at=now()))

    async def _keep(self, row: ProviderRow, listing: Listing) -> None:
        if not self._asking.counts(row.id):
            return
        changed = self.of(row).models != listing.models or is_down(self.of(row)) != is_down(listing)
        self._held[row.id] = listing
        if changed:
            self._changed()
        await self._db.write(store.save_listing, row, listing)


async def in_time(
    name: str, answer: Awaitable[Iterable[ListedModel]], seconds: float
) -> tuple[ListedModel, ...]:
    """A provider's list of models; raises `ModelError` too if it takes long or cannot be read."""
    try:
        async with asyncio.timeout(seconds):
            return tuple(await answer)
    except TimeoutError as error:
        detail = f"Provider '{name}' did not list its models within {seconds:g} seconds."
        raise ModelTimeout(detail, provider=name) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        detail = f"Provider '{name}' answered with something that is no list of models; is base_url right?"
        raise ModelUnavailable(detail, provider=name) from error


def is_down(listing: Listing) -> bool:
    """Whether the last time the provider was asked it failed."""
    return listing.error is not None


def is_known(listing: Listing) -> bool:
    """Whether the list says what the provider serves, so that a missing name is a wrong one."""
    return bool(listing.models) and not is_down(listing)


def _age(listing: Listing) -> float:
    times = [at.timestamp() for at in (listing.listed_at, listing.failed_at) if at is not None]
    return max(times, default=0.0)
