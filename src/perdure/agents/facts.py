"""What tools of tenants may learn of the agent that calls them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perdure.agents.secrets import opened, sealed_secrets
from perdure.agents.state import read_state
from perdure.db import Database
from perdure.providers.catalog import Models
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing


@dataclass(frozen=True, slots=True)
class Facts:
    """Reads them when a tool asks."""

    db: Database
    ring: KeyRing
    models: Models

    async def secrets(self, actor: Actor, agent_id: str) -> Mapping[str, str]:
        """The agent's secrets, in clear."""
        sealed = await self.db.read(sealed_secrets, actor, agent_id)
        return {secret.key: opened(self.ring, actor, secret) for secret in sealed}

    async def state(self, actor: Actor, agent_id: str) -> Mapping[str, Any]:
        """The agent as clients see it, as JSON; without its secrets."""
        state = await read_state(self.db, self.models, actor, agent_id)
        return state.model_dump(mode="json")
