"""What is known of an agent's model, for showing it: derived from the providers, never copied."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from perdure.agents.model_settings import context_window, in_force, part
from perdure.agents.prompt import Reader
from perdure.agents.schemas.llm_config import LLMConfig
from perdure.agents.schemas.model_settings import ModelSettings
from perdure.agents.store import AgentRow
from perdure.kit.errors import PerdureError
from perdure.providers.catalog import Models, ResolvedModel
from perdure.providers.entries import ModelEntry
from perdure.providers.schemas import endpoint_type
from perdure.tenancy.actor import Actor

UNKNOWN_WINDOW = 128_000
PATIENCE_SECONDS = 0.3  # a provider may be asked anew about a model that it does not list


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Where a handle leads. A provider that is gone leaves its name and guesses."""

    model: str
    provider_name: str
    provider_type: str
    provider_category: str = "base"
    endpoint_url: str | None = None
    context_window: int = UNKNOWN_WINDOW


def reader_of(model: ModelFacts | ResolvedModel) -> Reader:
    """A model as the reader of a prompt."""
    return Reader(model.provider_type, model.context_window)


async def describe(models: Models, actor: Actor, handles: Iterable[str]) -> dict[str, ModelFacts]:
    """The facts of some handles. Never fails and hardly waits: agents can be read whatever became of
    their provider.
    """
    wanted = set(handles)
    if not wanted:
        return {}
    listed = {entry.handle: entry for entry in await models.entries(actor) if entry.handle in wanted}
    found = {handle: _of_entry(entry) for handle, entry in listed.items()}
    for handle in wanted - found.keys():
        found[handle] = await _resolved(models, actor, handle)
    return found


def _of_entry(entry: ModelEntry) -> ModelFacts:
    return ModelFacts(
        entry.name,
        entry.provider_name,
        entry.provider_type,
        entry.provider_category,
        entry.endpoint_url,
        entry.context_window,
    )


async def _resolved(models: Models, actor: Actor, handle: str) -> ModelFacts:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await models.resolve(actor, handle)
    except (PerdureError, TimeoutError):
        provider, _, model = handle.partition("/")
        return ModelFacts(model, provider, provider)
    return ModelFacts(
        found.model,
        found.provider_name,
        found.provider_type,
        found.provider_category,
        found.endpoint_url,
        found.context_window,
    )


def wire_settings(agent: AgentRow, facts: ModelFacts) -> ModelSettings:
    """The agent's model settings as they are in force."""
    options = in_force(agent.model_settings)
    shown: dict[str, Any] = {
        **agent.model_settings,
        "provider_type": facts.provider_type,
        "parallel_tool_calls": options.parallel_tool_calls,
        "response_format": options.response_format,
    }
    return ModelSettings.model_validate(shown)


def wire_llm_config(agent: AgentRow, facts: ModelFacts) -> LLMConfig:
    """The same once more in the old shape."""
    options = in_force(agent.model_settings)
    named = agent.model_settings
    return LLMConfig.model_validate(
        {
            "model": facts.model,
            "handle": agent.model,
            "model_endpoint_type": endpoint_type(facts.provider_type),
            "model_endpoint": facts.endpoint_url,
            "provider_name": facts.provider_name,
            "provider_category": facts.provider_category,
            "context_window": context_window(agent.context_window_limit, facts.context_window),
            "temperature": options.temperature,
            "max_tokens": options.max_output_tokens,
            "enable_reasoner": options.thinking_budget != 0,
            "reasoning_effort": part(named, "reasoning").get("reasoning_effort"),
            "max_reasoning_tokens": options.thinking_budget or 0,
            "parallel_tool_calls": options.parallel_tool_calls,
            "response_format": options.response_format,
            "strict": options.strict,
            **{name: named[name] for name in ("effort", "verbosity", "frequency_penalty") if name in named},
        }
    )
