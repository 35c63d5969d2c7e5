"""From what a request says about models to the stored truth: a handle and named settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perdure.agents.model_settings import from_legacy, from_llm_config, in_force, merge
from perdure.agents.schemas.create import CreateAgent
from perdure.agents.schemas.llm_config import LLMConfig
from perdure.agents.schemas.model_settings import ModelSettings
from perdure.agents.schemas.update import UpdateAgent
from perdure.embeddings.catalog import check_handle
from perdure.embeddings.schemas import handle_of as embedding_of
from perdure.providers.catalog import Models
from perdure.tenancy.actor import Actor


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """The model of a new agent."""

    handle: str
    provider_type: str
    settings: dict[str, Any]
    context_window_limit: int | None
    context_window: int


async def choose_model(models: Models, actor: Actor, body: CreateAgent) -> ChosenModel:
    """The model a new agent is to have; raises `UnknownModel` for a handle that leads nowhere."""
    handle = body.model or handle_of(body.llm_config) or await models.default_handle(actor)
    model = await models.resolve(actor, handle)
    named = from_legacy(
        model.provider_type,
        max_tokens=body.max_tokens,
        max_reasoning_tokens=body.max_reasoning_tokens,
        reasoning=False if body.enable_reasoner is False or body.reasoning is False else None,
        parallel_tool_calls=body.parallel_tool_calls,
        response_format=_plain(body.response_format),
    )
    limit = body.context_window_limit
    if limit is None and body.llm_config and body.llm_config.context_window != model.context_window:
        limit = body.llm_config.context_window
    settings = _settings(body, {}, named)
    return ChosenModel(handle, model.provider_type, settings, limit, model.context_window)


def _settings(
    body: CreateAgent | UpdateAgent, stored: Mapping[str, Any], legacy: Mapping[str, Any]
) -> dict[str, Any]:
    """Stored settings under the old object's, the deprecated fields' and the named ones', in this order."""
    settings = merge(stored, from_llm_config(body.llm_config.named()) if body.llm_config else {})
    settings = merge(settings, legacy)
    return merge(settings, _named(body.model_settings))


def changed_settings(body: UpdateAgent, stored: Mapping[str, Any], provider_type: str) -> dict[str, Any]:
    """The settings after a PATCH: only what it names changes, an explicit null forgets."""
    fields = body.model_fields_set
    if "model_settings" in fields and body.model_settings is None:
        stored = {}
    legacy: dict[str, Any] = from_legacy(provider_type, reasoning=False if body.reasoning is False else None)
    if body.reasoning:
        legacy |= _thinking_again(stored)
    if "max_tokens" in fields:
        legacy["max_output_tokens"] = body.max_tokens
    if "parallel_tool_calls" in fields:
        legacy["parallel_tool_calls"] = body.parallel_tool_calls
    if "response_format" in fields:
        legacy["response_format"] = _plain(body.response_format)
    return _settings(body, stored, legacy)


def _thinking_again(stored: Mapping[str, Any]) -> dict[str, None]:
    """What to forget of settings that keep a model from thinking."""
    if in_force(stored).thinking_budget != 0:
        return {}
    return {"thinking": None, "thinking_config": None}


def _named(settings: ModelSettings | None) -> dict[str, Any]:
    return settings.named() if settings else {}


def _plain(model: Any) -> Any:
    return model.model_dump(exclude_unset=True) if model is not None else None


def handle_of(config: LLMConfig | None) -> str | None:
    """The handle that an `llm_config` object means: its own, or one made of provider and model."""
    if config is None:
        return None
    return config.handle or f"{config.provider_name or config.model_endpoint_type}/{config.model}"


async def choose_embedding(models: Models, actor: Actor, body: CreateAgent | UpdateAgent) -> str | None:
    """The embedding model asked for, if any; one named by handle must exist."""
    if body.embedding:
        await check_handle(models, actor, body.embedding)
        return body.embedding
    return embedding_of(body.embedding_config)
