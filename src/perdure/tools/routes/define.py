"""Making tools: from a source, or those that are part of the server."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response

from perdure.db import Db
from perdure.kit.errors import Unprocessable
from perdure.tenancy.actor import CurrentActor
from perdure.tools import store
from perdure.tools.base import BuiltinTool
from perdure.tools.define import columns_of, source_type_of
from perdure.tools.derive import schema_from_source
from perdure.tools.derive.parse import aside
from perdure.tools.schemas import DefineTool, SourceCode, Tool, tool_of

router = APIRouter(prefix="/v1/tools", tags=["tools"])


async def _builtins(request: Request) -> Sequence[BuiltinTool]:
    return request.app.state.dispatcher.builtins


Builtins = Annotated[Sequence[BuiltinTool], Depends(_builtins)]
ProjectId = Annotated[str | None, Header(alias="X-Project-Id", description="Noted on a new tool.")]


@router.post("/")
@router.put("/")
async def define_tool(
    body: DefineTool, response: Response, db: Db, actor: CurrentActor, project: ProjectId = None
) -> Tool:
    """Make a tool of a source. A tool of the same name becomes this one and keeps its id.

    The header `X-Perdure-Outcome` of the answer says which of the two happened: created or updated.
    """
    columns = await aside(body.source_code, columns_of, body)
    row, created = await db.write(store.define, actor, columns, project)
    response.headers["X-Perdure-Outcome"] = "created" if created else "updated"
    return tool_of(row)


@router.post("/add-base-tools")
async def add_base_tools(db: Db, actor: CurrentActor, builtins: Builtins) -> list[Tool]:
    """Bring the built-in tools up to date; they are kept so anyway."""
    await db.write(store.sync_builtins, actor.organization_id, builtins)
    names = [builtin.name for builtin in builtins]
    return [tool_of(row) for row in await db.read(store.by_names, actor, names)]


@router.post("/generate-schema")
async def generate_schema(body: SourceCode, actor: CurrentActor) -> dict[str, Any]:  # noqa: ARG001
    """What a model would be told of a Python source; nothing is stored and nothing is run."""
    if source_type_of(body.source_type) != "python":
        raise Unprocessable("source_type: only Python can be read; a TypeScript tool has a json_schema.")
    return await aside(body.code, schema_from_source, body.code)
