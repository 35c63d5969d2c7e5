"""Shows a server the token that a person allowed, and renews it in time. Imports the SDK."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

import httpx2
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl, ValidationError

from perdure.db import Database
from perdure.kit.clock import now
from perdure.mcp import grants
from perdure.mcp.errors import McpUnauthorized, McpUnreachable
from perdure.mcp.grants import Grant
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing

RENEWING_SECONDS = 20.0
PAUSE_SECONDS = 0.2
log = logging.getLogger(__name__)


@dataclass
class Bearer(httpx2.Auth):
    """The organization's grant for an address. Whichever process renews it, all go on with the new one."""

    db: Database
    ring: KeyRing
    actor: Actor
    url: str
    hidden: dict[str, str] = field(default_factory=dict[str, str], repr=False)  # the tokens it knows

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send the request with a token that is good, if there is one."""
        grant = await self._read()
        if grant and grant.expired(now()):
            if await self._claims(grant):
                grant = await self._take(grant, (yield self._renewal(grant)))
            else:
                grant = await self._other(grant)
        if grant is None:
            yield request
            return
        request.headers["authorization"] = f"Bearer {grant.access}"
        response = yield request
        if response.status_code != 401:
            return
        newer = await self._read()
        if newer and newer.access == grant.access:
            if not newer.renewable:
                return
            if await self._claims(newer):
                newer = await self._take(newer, (yield self._renewal(newer)))
            else:
                newer = await self._other(newer)
        if newer:
            request.headers["authorization"] = f"Bearer {newer.access}"
            yield request

    async def _read(self) -> Grant | None:
        sealed = await self.db.read(grants.sealed_grant, self.actor, self.url)
        return self._known(grants.opened(self.ring, self.actor, self.url, sealed)) if sealed else None

    def _known(self, grant: Grant) -> Grant:
        """The grant, its tokens noted as what nobody is to read in the server's answers."""
        tokens = {name: grant.tokens.get(name) for name in ("access_token", "refresh_token")}
        self.hidden = {name: token for name, token in tokens.items() if token}
        return grant

    async def _claims(self, grant: Grant) -> bool:
        if not grant.renewable:
            raise self._ended()
        return await self.db.write(grants.claim_renewal, self.actor, self.url, grant, RENEWING_SECONDS)

    async def _other(self, grant: Grant) -> Grant | None:
        """The grant that another process is renewing."""
        for _ in range(int(RENEWING_SECONDS / PAUSE_SECONDS)):
            newer = await self._read()
            if newer is None or newer.access != grant.access:
                return newer
            await asyncio.sleep(PAUSE_SECONDS)
        raise McpUnreachable(f"The login at {self.url} could not be renewed in time; try again.")

    def _renewal(self, grant: Grant) -> httpx2.Request:
        client = OAuthClientInformationFull.model_validate(grant.client)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": grant.tokens["refresh_token"],
            "client_id": client.client_id,
        }
        if grant.resource:
            form["resource"] = grant.resource
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        form, headers = _context(client, self.url).prepare_token_auth(form, headers)
        return httpx2.Request("POST", grant.token_url, data=form, headers=headers)

    async def _take(self, grant: Grant, response: httpx2.Response) -> Grant:
        """The renewed grant, stored; raises when there is none."""
        body = await response.aread()
        if response.status_code != 200:
            log.info("A login could not be renewed", extra={"url": self.url, "status": response.status_code})
            if 400 <= response.status_code < 500 and response.status_code != 429:
                await self.db.write(grants.remove_grant, self.actor, self.url)
                raise self._ended()
            await self.db.write(grants.release_renewal, self.actor, self.url)
            raise McpUnreachable(
                f"The login at {self.url} could not be renewed: the authorization server answered "
                f"{response.status_code}; try again."
            )
        try:
            token = OAuthToken.model_validate_json(body)
        except ValidationError as error:
            await self.db.write(grants.release_renewal, self.actor, self.url)
            raise McpUnreachable(
                f"The login at {self.url} was renewed with an answer that is none."
            ) from error
        told = token.model_dump(mode="json", exclude_none=True)
        expires_at = now().timestamp() + token.expires_in if token.expires_in else None
        newer = replace(grant, tokens={**grant.tokens, **told}, expires_at=expires_at)
        sealed = grants.seal(self.ring, self.actor, self.url, newer)
        await self.db.write(grants.save_grant, self.actor, self.url, sealed)
        return self._known(newer)

    def _ended(self) -> McpUnauthorized:
        return McpUnauthorized(
            f"The login at {self.url} has ended. Allow access again by GET /v1/mcp-servers/connect/{{id}}."
        )


class _NoStorage:
    """The SDK's context wants a storage; what is asked of it here needs none."""

    async def get_tokens(self) -> OAuthToken | None:
        return None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Nothing to do."""

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Nothing to do."""


def _context(client: OAuthClientInformationFull, url: str) -> OAuthContext:
    """The SDK's knowledge of how a registered client shows who it is."""
    metadata = OAuthClientMetadata(redirect_uris=[AnyUrl("http://localhost/")])
    return OAuthContext(url, metadata, _NoStorage(), None, None, client_info=client)
