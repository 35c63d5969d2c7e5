"""Route: a program that a model has written calls one of its agent's tools."""

from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from perdure.tenancy.actor import CurrentActor
from perdure.tools.programs.programs import Programs

router = APIRouter(prefix="/v1/tools", tags=["tools"])


class CallTool(BaseModel):
    """Which tool, and with what."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])


class CalledTool(BaseModel):
    """What it returned, or why it could not."""

    status: Literal["success", "error"]
    value: Any = None


@router.post("/call", response_model=CalledTool)
async def call_tool(body: CallTool, request: Request, actor: CurrentActor) -> Response:
    """Call a tool from inside of `run_code_with_tools`: with the token of a program that runs."""
    programs: Programs = request.app.state.programs
    returned = await programs.call(actor, body.name, body.arguments)
    told = {"status": returned.status, "value": returned.value}
    told = orjson.dumps(told, default=str, option=orjson.OPT_NON_STR_KEYS)
    return Response(told, media_type="application/json")
