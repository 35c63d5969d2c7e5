"""Change an agent: named fields only; lists replace, settings merge, an explicit null clears."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from perdure.agents import links, secrets, store
from perdure.agents.base_tools import approval_rules, stored_rules, with_rules
from perdure.agents.folder_links import set_folders
from perdure.agents.folders.limits import limits_in
from perdure.agents.model_choice import changed_settings, choose_embedding, handle_of
from perdure.agents.model_facts import UNKNOWN_WINDOW, describe
from perdure.agents.model_settings import merge
from perdure.agents.schemas.update import UpdateAgent
from perdure.agents.secrets import SealedSecret
from perdure.agents.sleeptime import set_helper
from perdure.agents.stock_prompts import PROMPTS
from perdure.agents.store import AgentRow
from perdure.agents.tags import kept_tags, makes_hidden
from perdure.kit.errors import NotFound
from perdure.messages import store as messages
from perdure.providers.catalog import Models
from perdure.tenancy.actor import Actor

# Fields that change a column of the same name, with what an explicit null means.
PLAIN: dict[str, Any] = {
    "description": None,
    "metadata": {},
    "context_window_limit": None,
    "timezone": "UTC",
    "message_buffer_autoclear": False,
    "enable_sleeptime": False,
    "multitask_strategy": None,
    "max_files_open": None,
    "per_file_view_window_char_limit": None,
    "hidden": False,
    "project_id": None,
    "template_id": None,
    "base_template_id": None,
    "last_run_completion": None,
    "last_run_duration_ms": None,
    "last_stop_reason": None,
}
SETTINGS = {
    "model_settings",
    "llm_config",
    "max_tokens",
    "reasoning",
    "parallel_tool_calls",
    "response_format",
}


@dataclass(frozen=True, slots=True)
class Change:
    """A PATCH that has been checked as far as that is possible without the database."""

    body: UpdateAgent
    provider_type: str
    embedding: str | None
    secrets: Sequence[SealedSecret]
    model_window: int = UNKNOWN_WINDOW


async def plan_change(
    models: Models, actor: Actor, body: UpdateAgent, sealed: Sequence[SealedSecret], model: str = ""
) -> Change:
    """Check a PATCH of an agent of this model, and find the new ones; raises before anything is stored."""
    check(body)
    handle = new_handle(body)
    provider_type = (await models.resolve(actor, handle)).provider_type if handle else ""
    embedding = await choose_embedding(models, actor, body)
    window, known = UNKNOWN_WINDOW, handle or model
    if known and (body.folder_ids or body.source_ids):
        window = (await describe(models, actor, [known]))[known].context_window
    return Change(body, provider_type, embedding, sealed, window)


def new_handle(body: UpdateAgent) -> str | None:
    """The model a PATCH moves the agent to, if any."""
    return body.model or handle_of(body.llm_config)


def check(body: UpdateAgent) -> None:
    """What is wrong with a PATCH by itself."""
    if body.identity_ids:
        raise NotFound(f"identity_ids: there is no {', '.join(body.identity_ids)}.")


def apply_update(conn: Connection, actor: Actor, agent_id: str, change: Change) -> None:
    """Store a checked PATCH in one transaction. Lists and `name` given as null stay as they are."""
    body = change.body
    agent = store.get(conn, actor, agent_id, to_change=True)
    values = _columns(body, agent, change.provider_type)
    if {"embedding", "embedding_config"} & body.model_fields_set:
        values["embedding"] = change.embedding
    if body.tool_ids is not None:
        values["tool_rules"] = _retool(conn, actor, agent, body.tool_ids, values)
    if body.tags is not None:
        store.set_tags(conn, agent_id, kept_tags(body.tags))
        if makes_hidden(body.tags):
            values["hidden"] = True
    if body.block_ids is not None:
        links.set_blocks(conn, actor, agent_id, body.block_ids)
    if body.secrets is not None:
        secrets.set_secrets(conn, actor, agent_id, change.secrets)
    folder_ids = body.source_ids if body.folder_ids is None else body.folder_ids
    if folder_ids is not None:
        set_folders(conn, actor, agent_id, folder_ids, limits_in(agent, change.model_window))
    if body.message_ids is not None:
        messages.set_context(conn, messages.get_thread(conn, actor, agent_id), body.message_ids)
    store.update_agent(conn, actor, agent_id, values)
    if "enable_sleeptime" in body.model_fields_set:
        set_helper(conn, actor, agent)


def _columns(body: UpdateAgent, agent: AgentRow, provider_type: str) -> dict[str, Any]:
    """The columns a PATCH changes, without those that depend on relations."""
    named = body.model_fields_set
    values: dict[str, Any] = {}
    for field, cleared in PLAIN.items():
        if field in named:
            value = getattr(body, field)
            values[field] = cleared if value is None else value
    if body.name is not None:
        values["name"] = body.name
    if "system" in named:
        values["system"] = PROMPTS.get(agent.agent_type, "") if body.system is None else body.system
    if handle := new_handle(body):
        values["model"] = handle
    if named & SETTINGS:
        values["model_settings"] = changed_settings(body, agent.model_settings, provider_type)
    if "compaction_settings" in named:
        settings = body.compaction_settings
        values["compaction_settings"] = merge(agent.compaction_settings, settings.named()) if settings else {}
    if body.tool_rules is not None:
        values["tool_rules"] = stored_rules(body.tool_rules)
    return values


def _retool(
    conn: Connection, actor: Actor, agent: AgentRow, tool_ids: Sequence[str], values: dict[str, Any]
) -> list[dict[str, Any]]:
    """Replace the agent's tools; those that are new bring their approval rule along."""
    before = {tool.id for tool in store.tools_of(conn, agent.id)}
    links.set_tools(conn, actor, agent.id, tool_ids)
    added = [tool for tool in store.tools_of(conn, agent.id) if tool.id not in before]
    rules = values.get("tool_rules", agent.tool_rules)
    return with_rules(rules, approval_rules((t.name, bool(t.default_requires_approval)) for t in added))
