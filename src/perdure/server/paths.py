"""The spelling of a request's address: one per route, and nothing a database cannot hold."""

from collections.abc import Iterable

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send


def declared_paths(routers: Iterable[APIRouter]) -> set[str]:
    """The paths of all routes of these routers."""
    return {route.path for router in routers for route in router.routes if isinstance(route, APIRoute)}


class OneSpelling:
    """Middleware that rewrites a path to the one its route was declared with.

    The closing slash counts for nothing and `/latest` means `/v1`. No redirects: behind a proxy they
    often name the wrong host. A NUL character, which no database takes, is refused here for all routes.
    """

    def __init__(self, app: ASGIApp, roots: Iterable[str]):
        self.app = app
        self.roots = {root.rstrip("/") for root in roots if root.endswith("/")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if "\0" in scope["path"] or b"%00" in scope["query_string"]:
                refusal = JSONResponse({"detail": "The address contains a NUL character; leave it out."}, 400)
                await refusal(scope, receive, send)
                return
            scope["path"] = self._spell(scope["path"])
        await self.app(scope, receive, send)

    def _spell(self, path: str) -> str:
        if path.startswith("/latest/"):
            path = "/v1" + path.removeprefix("/latest")
        bare = path.rstrip("/")
        return f"{bare}/" if bare in self.roots else bare or "/"
