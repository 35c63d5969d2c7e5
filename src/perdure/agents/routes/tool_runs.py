"""Running a tool from outside of any conversation: for an agent, or straight from a source."""

from fastapi import APIRouter, Request

from perdure.agents import links, store
from perdure.agents.schemas.tool_runs import ToolRunFromSource
from perdure.db import Db
from perdure.kit.clock import now
from perdure.kit.errors import NotFound
from perdure.kit.ids import AgentId
from perdure.messages.schemas import ToolReturnMessage, WireToolReturn
from perdure.tenancy.actor import CurrentActor
from perdure.tools.base import Returned, ToolContext, ToolFailed
from perdure.tools.custom.from_source import Run, code_of
from perdure.tools.derive.parse import aside
from perdure.tools.dispatch import as_text, cut
from perdure.tools.execution_schemas import ToolExecuteRequest, ToolExecutionResult
from perdure.tools.store import RETURN_CHAR_LIMIT

router = APIRouter(tags=["tools"])
NOWHERE = "null"  # what clients know as the id of a message and a call that are not stored


@router.post("/v1/agents/{agent_id}/tools/{tool_name}/run")
async def run_tool_for_agent(
    agent_id: AgentId,
    tool_name: str,
    request: Request,
    db: Db,
    actor: CurrentActor,
    body: ToolExecuteRequest | None = None,
) -> ToolExecutionResult:
    """Run one of an agent's tools as the agent would, without telling it."""
    agent = await db.read(store.get, actor, agent_id)
    attached = {tool.name: tool for tool in await db.read(store.tools_of, agent_id)}
    if tool_name not in attached:
        raise NotFound(f"Agent {agent_id} has no tool {tool_name!r}.")
    state = request.app.state
    ctx = ToolContext(
        db, actor, agent_id, agent_id, "", "", links, state.facts, agent.timezone, agent.project_id
    )
    try:
        done = await state.dispatcher.perform(ctx, attached[tool_name], body.args if body else {})
    except ToolFailed as failed:
        done = Returned(failed.detail, "error")
    return ToolExecutionResult.of(done)


@router.post("/v1/tools/run")
async def run_tool_from_source(
    request: Request, actor: CurrentActor, body: ToolRunFromSource
) -> ToolReturnMessage:
    """Run a tool from its source, to try it; nothing is stored."""
    run = Run(**body.model_dump())
    try:
        code, arguments = await aside(run.source_code, code_of, run)
        done = await request.app.state.custom_tools.run(actor, code, arguments, variables=run.env_vars)
    except ToolFailed as failed:
        done = Returned(failed.detail, "error", stderr=(failed.detail,))
    said = WireToolReturn(
        tool_return=cut(as_text(done.value), RETURN_CHAR_LIMIT),
        status=done.status,
        tool_call_id=NOWHERE,
        stdout=list(done.stdout),
        stderr=list(done.stderr),
    )
    return ToolReturnMessage(
        id=NOWHERE,
        date=now(),
        tool_return=str(said.tool_return),
        status=said.status,
        tool_call_id=NOWHERE,
        stdout=said.stdout,
        stderr=said.stderr,
        tool_returns=[said],
    )
