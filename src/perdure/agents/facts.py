"""What tools of tenants may learn of the agent that calls them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from perdure.agents.isolated import blocks_in
from perdure.agents.parts import AgentParts, parts_of
from perdure.agents.secrets import SealedSecret, opened, sealed_secrets
from perdure.agents.state import states_of
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
        return self.opened(actor, await self.db.read(sealed_secrets, actor, agent_id))

    def sealed(self, conn: Connection, actor: Actor, agent_id: str) -> Sequence[SealedSecret]:
        """The secrets as they are stored, for a unit of work that reads more."""
        return sealed_secrets(conn, actor, agent_id)

    def opened(self, actor: Actor, sealed: Sequence[SealedSecret]) -> Mapping[str, str]:
        """Stored secrets in clear."""
        return {secret.key: opened(self.ring, actor, secret) for secret in sealed}

    async def state(self, actor: Actor, agent_id: str, thread_id: str | None = None) -> Mapping[str, Any]:
        """The agent as clients see it, as JSON; without its secrets, with the blocks it has in the thread."""
        parts = await self.db.read(_parts_in, actor, agent_id, thread_id or agent_id)
        return (await states_of(self.models, actor, [parts]))[0].model_dump(mode="json")


def _parts_in(conn: Connection, actor: Actor, agent_id: str, thread_id: str) -> AgentParts:
    parts = parts_of(conn, actor, agent_id)
    if thread_id == agent_id:
        return parts
    return replace(parts, blocks=blocks_in(conn, agent_id, thread_id))
