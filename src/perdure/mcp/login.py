"""A person allows us to use a server: OAuth with PKCE, the return at any replica. Imports the SDK."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import orjson
from mcp.client.auth.oauth2 import OAuthClientProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from perdure.db import Database
from perdure.mcp import grants
from perdure.mcp.errors import McpUnauthorized
from perdure.mcp.grants import Grant
from perdure.mcp.tables import mcp_logins
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing

PAUSE_SECONDS = 0.3
Announce = Callable[[str], Awaitable[None]]


@dataclass
class Login:
    """One login: tells where to go by `announce(url)`, waits for the browser, keeps what was allowed."""

    db: Database
    ring: KeyRing
    actor: Actor
    id: str
    url: str
    redirect_uri: str
    seconds: float
    announce: Announce

    def __post_init__(self) -> None:
        self._client: OAuthClientInformationFull | None = None
        local = urlsplit(self.redirect_uri).hostname in ("localhost", "127.0.0.1", "::1")
        self.provider = OAuthClientProvider(
            server_url=self.url,
            client_metadata=OAuthClientMetadata(
                client_name="Perdure",
                redirect_uris=[AnyUrl(self.redirect_uri)],
                token_endpoint_auth_method="none",
                application_type="native" if local else "web",
            ),
            storage=self,
            redirect_handler=self._redirect,
            callback_handler=self._callback,
        )

    async def get_tokens(self) -> OAuthToken | None:
        """None: a login begins anew."""
        return None

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """The client as it was registered for this login."""
        return self._client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """The client was registered."""
        self._client = client_info

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep what was allowed, for all replicas and the time after this login."""
        context = self.provider.context
        client = context.client_info
        if client is None:
            raise McpUnauthorized("The authorization server gave tokens to a client it has not registered.")
        metadata = context.oauth_metadata
        token_url = str(metadata.token_endpoint) if metadata else urljoin(self.url, "/token")
        told = context.should_include_resource_param(context.protocol_version)
        grant = Grant(
            client.model_dump(mode="json", exclude_none=True),
            tokens.model_dump(mode="json", exclude_none=True),
            token_url,
            context.get_resource_url() if told else None,
            context.token_expiry_time,
        )
        sealed = grants.seal(self.ring, self.actor, self.url, grant)
        await self.db.write(grants.save_grant, self.actor, self.url, sealed)

    async def _redirect(self, url: str) -> None:
        [state] = parse_qs(urlsplit(url).query)["state"]
        await self.db.write(grants.begin_login, self.actor, self.id, state, self.seconds)
        await self.announce(url)

    async def _callback(self) -> AuthorizationCodeResult:
        try:
            async with asyncio.timeout(self.seconds):
                told = await self._answer()
        except TimeoutError as error:
            raise McpUnauthorized(f"Nobody allowed access within {self.seconds:g} s.") from error
        finally:
            await self.db.write(grants.end_login, self.actor, self.id)
        if not told.get("code"):
            words = told.get("error_description") or told.get("error") or "no code came back"
            raise McpUnauthorized(f"Access was not allowed: {words}.")
        return AuthorizationCodeResult(code=told["code"], state=told.get("state"), iss=told.get("iss"))

    async def _answer(self) -> dict[str, Any]:
        """What the browser brought, at whichever replica."""
        while True:
            sealed = await self.db.read(grants.login_answer, self.actor, self.id)
            if sealed:
                place = {"table": mcp_logins.name, "row": self.id, "organization": self.actor.organization_id}
                return orjson.loads(self.ring.open(sealed, **place))
            await asyncio.sleep(PAUSE_SECONDS)
