"""One question to an agent's model: without its memory, its tools or its history, and not stored."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from perdure.agents import store as agents
from perdure.agents.model_settings import in_force
from perdure.agents.store import AgentRow
from perdure.chat.schemas import UsageStatistics
from perdure.content.parts import Message, Text, text_of
from perdure.db import Db
from perdure.kit.errors import PerdureError
from perdure.kit.ids import AgentId
from perdure.loop.answer import answer_of
from perdure.providers.base import ModelError, ModelRequest
from perdure.providers.catalog import CurrentModels
from perdure.tenancy.actor import CurrentActor

router = APIRouter(prefix="/v1/agents/{agent_id}", tags=["agents"])


class GenerateRequest(BaseModel):
    """What to ask."""

    prompt: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    system_prompt: str | None = None
    override_model: str | None = Field(None, description="Handle of another model than the agent's.")
    response_schema: dict[str, Any] | None = Field(
        None, description="JSON Schema that the provider is told to answer by; `content` is then JSON."
    )


class GenerateResponse(BaseModel):
    """What it answered."""

    content: str
    model: str
    usage: UsageStatistics


class UpstreamFailed(PerdureError):
    """The provider failed: whatever it says of itself, it is not the caller's mistake."""

    status = 502

    def __init__(self, cause: ModelError):
        super().__init__(cause.detail, **cause.body())


@router.post("/generate")
async def generate(
    agent_id: AgentId, body: GenerateRequest, db: Db, actor: CurrentActor, models: CurrentModels
) -> GenerateResponse:
    """Ask the model once. The agent lends it its settings, nothing else."""
    agent = await db.read(agents.get, actor, agent_id)
    model = await models.resolve(actor, body.override_model or agent.model)
    try:
        answer = await answer_of(model, request_of(agent, model.model, body))
    except ModelError as error:
        raise UpstreamFailed(error) from error
    used = answer.usage
    usage = UsageStatistics(
        completion_tokens=used.output_tokens,
        prompt_tokens=used.input_tokens,
        total_tokens=used.input_tokens + used.output_tokens,
        step_count=1,
        cached_input_tokens=used.cached_input_tokens,
        cache_write_tokens=used.cache_write_tokens,
        reasoning_tokens=used.reasoning_tokens,
    )
    return GenerateResponse(content=text_of(answer.parts), model=model.handle, usage=usage)


def request_of(agent: AgentRow, model: str, body: GenerateRequest) -> ModelRequest:
    """The question, with the agent's settings."""
    options = in_force(agent.model_settings)
    schema = body.response_schema
    shape = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return ModelRequest(
        model=model,
        system=body.system_prompt or "",
        messages=(Message("user", (Text(body.prompt),)),),
        temperature=options.temperature,
        max_output_tokens=options.max_output_tokens,
        reasoning_effort=options.reasoning_effort,
        thinking_budget=options.thinking_budget,
        response_format=shape if schema is not None else None,
    )
