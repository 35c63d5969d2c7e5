"""Making, changing and deleting an organization's providers."""

import asyncio
import contextlib

from pydantic import SecretStr

from perdure.db import Database
from perdure.kit.errors import Conflict, PerdureError
from perdure.kit.ids import new_id
from perdure.providers import store
from perdure.providers.catalog import Models
from perdure.providers.schemas import ProviderCreate, ProviderUpdate, plain
from perdure.providers.tables import Origin, ProviderRow
from perdure.tenancy.actor import Actor

PATIENCE_SECONDS = 5.0  # how long a write waits for the provider's list, so that the next request sees it
SECRETS = ("api_key", "access_key")

WHERE: dict[Origin, str] = {
    "environment": "comes from the server's environment; change its variables and restart",
    "config": "comes from the server's configuration file; change it there and restart",
    "detected": "was found running on the server's machine; stop it, or set PERDURE_MODELS_DETECT=false",
}


async def create(models: Models, db: Database, actor: Actor, body: ProviderCreate) -> ProviderRow:
    """Store a new provider and learn its models; raises `Conflict` if its name is taken."""
    _check_name(models, body)
    provider_id = new_id("provider")
    row = ProviderRow(
        provider_id,
        body.name,
        body.provider_type,
        organization_id=actor.organization_id,
        base_url=body.base_url,
        api_key=_sealed(models, actor, provider_id, body.api_key),
        access_key=_sealed(models, actor, provider_id, body.access_key),
        region=body.region,
        api_version=body.api_version,
    )
    made = await db.write(store.create, row)
    await _learn(models, made)
    return made


async def change(
    models: Models, db: Database, actor: Actor, provider_id: str, body: ProviderUpdate
) -> ProviderRow:
    """Change what the body names; null clears."""
    await find_editable(models, db, actor, provider_id)
    values = {name: getattr(body, name) for name in body.model_fields_set}
    for name in SECRETS:
        if name in values:
            values[name] = _sealed(models, actor, provider_id, values[name])
    row = await db.write(store.change, actor, provider_id, values)
    await _learn(models, row)
    return row


async def remove(models: Models, db: Database, actor: Actor, provider_id: str) -> ProviderRow:
    """Delete a provider; its name is free again."""
    row = await find_editable(models, db, actor, provider_id)
    await db.write(store.remove, actor, provider_id)
    models.forget(row)
    return row


async def find(models: Models, db: Database, actor: Actor, provider_id: str) -> ProviderRow:
    """A provider of the organization or of the server."""
    return models.directory.base_with_id(provider_id) or await db.read(store.get, actor, provider_id)


async def find_editable(models: Models, db: Database, actor: Actor, provider_id: str) -> ProviderRow:
    """A provider of the organization; raises `Conflict` for one of the server's."""
    row = await find(models, db, actor, provider_id)
    if row.origin != "api":
        raise Conflict(
            f"Provider {row.name!r} {WHERE[row.origin]}. To use another here, create a provider of that "
            'name with "shadow": true.'
        )
    return row


def _check_name(models: Models, body: ProviderCreate) -> None:
    if body.name in models.static:
        raise Conflict(f"The name {body.name!r} is the server's own; choose another.")
    base = models.directory.base_named(body.name)
    if base is not None and not body.shadow:
        raise Conflict(
            f"A provider named {body.name!r} {WHERE[base.origin]}. Choose another name, or send "
            '"shadow": true to put yours in its place for your organization.'
        )


def _sealed(models: Models, actor: Actor, provider_id: str, secret: SecretStr | None) -> str | None:
    text = plain(secret)
    if text is None:
        return None
    return models.keyring.seal(text, table="providers", row=provider_id, organization=actor.organization_id)


async def _learn(models: Models, row: ProviderRow) -> None:
    """See the provider at once, and its models if it answers soon; its failure is recorded, not raised."""
    models.forget(row)
    with contextlib.suppress(PerdureError, TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await models.listings.refresh(row)
