"""`/v1/providers` and `/v1/models`."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query

from perdure.db import Db
from perdure.kit.errors import Unprocessable
from perdure.kit.ids import ProviderId
from perdure.kit.paging import Page, page_query
from perdure.providers import edit, store
from perdure.providers.catalog import CurrentModels, Models
from perdure.providers.endpoint import Endpoint
from perdure.providers.schemas import (
    EmbeddingModel,
    Message,
    Model,
    Provider,
    ProviderCheck,
    ProviderCreate,
    ProviderUpdate,
    embedding_on_wire,
    model_on_wire,
    provider_on_wire,
)
from perdure.providers.tables import ProviderRow
from perdure.tenancy.actor import CurrentActor

router = APIRouter(prefix="/v1", tags=["providers"])
CATEGORIES = {"base", "byok"}


@router.get("/providers/")
async def list_providers(
    db: Db,
    models: CurrentModels,
    actor: CurrentActor,
    page: Annotated[Page, page_query()],
    name: str | None = None,
    provider_type: str | None = None,
) -> list[Provider]:
    """The organization's providers and the server's own."""
    base = {row.id: row for row in models.directory.base()}
    rows = await db.read(store.page_of, actor, page, base.values(), name=name, provider_type=provider_type)
    return [_on_wire(models, row) for row in rows]


@router.post("/providers/")
async def create_provider(
    db: Db, models: CurrentModels, actor: CurrentActor, body: ProviderCreate
) -> Provider:
    """Add a provider; its models appear under `<name>/<model>`."""
    return _on_wire(models, await edit.create(models, db, actor, body))


@router.post("/providers/check")
async def check_new_provider(models: CurrentModels, _actor: CurrentActor, body: ProviderCheck) -> Message:
    """Try a credential without storing it."""
    return await _check(models, body.endpoint())


@router.get("/providers/{provider_id}")
async def get_provider(
    db: Db, models: CurrentModels, actor: CurrentActor, provider_id: ProviderId
) -> Provider:
    """One provider."""
    return _on_wire(models, await edit.find(models, db, actor, provider_id))


@router.patch("/providers/{provider_id}")
async def update_provider(
    db: Db, models: CurrentModels, actor: CurrentActor, provider_id: ProviderId, body: ProviderUpdate
) -> Provider:
    """Change a provider's key or address."""
    return _on_wire(models, await edit.change(models, db, actor, provider_id, body))


@router.delete("/providers/{provider_id}")
async def delete_provider(
    db: Db, models: CurrentModels, actor: CurrentActor, provider_id: ProviderId
) -> Message:
    """Delete a provider; agents that use it answer with an error until it is there again."""
    row = await edit.remove(models, db, actor, provider_id)
    return Message(message=f"Provider {row.name} is deleted.")


@router.post("/providers/{provider_id}/check")
async def check_provider(
    db: Db, models: CurrentModels, actor: CurrentActor, provider_id: ProviderId
) -> Message:
    """Try a stored provider."""
    return await _check(models, models.endpoint(await edit.find(models, db, actor, provider_id)))


@router.patch("/providers/{provider_id}/refresh")
async def refresh_provider(
    db: Db, models: CurrentModels, actor: CurrentActor, provider_id: ProviderId
) -> Provider:
    """Ask a provider for its models now."""
    row = await edit.find(models, db, actor, provider_id)
    await models.listings.refresh(row)
    return _on_wire(models, row)


@router.get("/models/")
async def list_models(
    models: CurrentModels,
    actor: CurrentActor,
    provider_category: Annotated[list[str] | None, Query()] = None,
    provider_name: str | None = None,
    provider_type: str | None = None,
) -> list[Model]:
    """The language models that can be used now."""
    categories = _categories(provider_category)
    return [
        model_on_wire(entry)
        for entry in await models.entries(actor)
        if entry.kind == "llm"
        and entry.provider_category in categories
        and provider_name in (None, entry.provider_name)
        and provider_type in (None, entry.provider_type)
    ]


@router.get("/models/embedding")
async def list_embedding_models(models: CurrentModels, actor: CurrentActor) -> list[EmbeddingModel]:
    """The embedding models that can be used now."""
    return [embedding_on_wire(entry) for entry in await models.entries(actor) if entry.kind == "embedding"]


def _on_wire(models: Models, row: ProviderRow) -> Provider:
    return provider_on_wire(row, models.listings.of(row))


def _categories(given: Iterable[str] | None) -> set[str]:
    """The categories asked for; several may be repeated or joined with commas."""
    asked = {name for item in given or () for name in item.split(",") if name}
    if not asked <= CATEGORIES:
        raise Unprocessable("provider_category: must be base, byok, or both separated by a comma.")
    return asked or CATEGORIES


async def _check(models: Models, endpoint: Endpoint) -> Message:
    listed = await models.ask(endpoint)
    return Message(message=f"Provider {endpoint.name} answers and lists {len(listed)} models.")
