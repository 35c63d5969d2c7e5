"""Where browsers return from a login. Nobody is signed in here: the state says which login it was."""

from html import escape

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from perdure.db import Db
from perdure.kit.errors import InvalidArgument
from perdure.mcp import grants
from perdure.mcp.tables import mcp_logins
from perdure.tenancy.keyring import KeyRing

router = APIRouter(prefix="/v1/tools/mcp/oauth", tags=["mcp-servers"])
PAGE = "<!doctype html><title>Perdure</title><p>{words}</p>"


@router.get("/callback", response_class=HTMLResponse)
async def finish_mcp_login(
    request: Request,
    db: Db,
    code: str | None = None,
    state: str | None = None,
    iss: str | None = None,
    error: str | None = None,
    error_description: str | None = None,
) -> HTMLResponse:
    """Hand what the browser brought to the login that waits for it, at whichever server that is."""
    if not state:
        raise InvalidArgument("The address lacks the `state` of a login; begin it by connecting a server.")
    login_id, organization = await db.read(grants.login_of, state)
    ring: KeyRing = request.app.state.keyring
    told = {"code": code, "state": state, "iss": iss, "error": error, "error_description": error_description}
    answer = orjson.dumps({name: value for name, value in told.items() if value is not None}).decode()
    place = {"table": mcp_logins.name, "row": login_id, "organization": organization}
    await db.write(grants.answer_login, login_id, ring.seal(answer, **place))
    words = "Access is allowed. You can close this window."
    if not code:
        words = f"Access was not allowed: {error_description or error or 'no code came back'}."
    return HTMLResponse(
        PAGE.format(words=escape(words)), headers={"content-security-policy": "default-src 'none'"}
    )
