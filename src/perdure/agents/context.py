"""What fills an agent's context window, section by section. Tokens are estimated, not asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from perdure.agents import store
from perdure.agents.compiled import circumstances, made_of_stored, open_texts
from perdure.agents.prompt import Ingredients, Reader, metadata_text
from perdure.agents.schemas.context import ContextOverview, ContextShares
from perdure.agents.store import AgentRow
from perdure.content.codec import to_json
from perdure.content.estimate import message_tokens, text_tokens
from perdure.content.parts import text_of
from perdure.files.render import render_directories
from perdure.memory.render import render_blocks
from perdure.messages import store as messages
from perdure.messages.store import MessageRow
from perdure.tools.rules import rule_text
from perdure.tools.store import ToolRow


@dataclass(frozen=True, slots=True)
class LoadedContext:
    """What a request of the agent would be made of, and how much is stored beside it."""

    agent: AgentRow
    made_of: Ingredients
    metadata: str
    messages: Sequence[MessageRow]
    tools: Sequence[ToolRow]
    recall: int
    archival: int
    texts: Mapping[str, str]


def load_context(conn: Connection, agent: AgentRow, thread_id: str, reader: Reader) -> LoadedContext:
    """Read what an overview of a thread is made of."""
    at = circumstances(conn, agent, thread_id)
    made_of = made_of_stored(conn, agent, thread_id, reader)
    return LoadedContext(
        agent,
        made_of,
        metadata_text(at),
        messages.context(conn, thread_id),
        store.tools_of(conn, agent.id),
        at.recall,
        at.archival,
        open_texts(conn, made_of),
    )


def overview(loaded: LoadedContext, window: int) -> ContextOverview:
    """The sections of a request, their texts and how many tokens they take, roughly."""
    made_of = loaded.made_of
    directories = render_directories(made_of.directories, loaded.texts)
    memory = render_blocks(made_of.blocks, numbered=made_of.numbered)
    rules = rule_text(made_of.rules)
    said = [message for message in loaded.messages if message.role != "system"]
    summary = "\n".join(text_of(message.parts) for message in said if message.role == "summary")
    functions = [_definition(tool) for tool in loaded.tools]
    shown = [_plain(message) for message in loaded.messages]
    shares = ContextShares(
        num_tokens_system=text_tokens(made_of.system),
        num_tokens_core_memory=text_tokens(memory),
        num_tokens_tool_usage_rules=text_tokens(rules),
        num_tokens_directories=text_tokens(directories),
        num_tokens_external_memory_summary=text_tokens(loaded.metadata),
        num_tokens_summary_memory=text_tokens(summary),
        num_tokens_functions_definitions=text_tokens(_text(functions)) if functions else 0,
        num_tokens_messages=sum(
            message_tokens(message.said()) for message in said if message.role != "summary"
        ),
    )
    counts = shares.model_dump()
    return ContextOverview(
        **counts,
        context_window_size_max=window,
        context_window_size_current=sum(counts.values()),
        num_messages=len(loaded.messages),
        num_archival_memory=loaded.archival,
        num_recall_memory=loaded.recall,
        system_prompt=made_of.system,
        core_memory=memory,
        tool_usage_rules=rules or None,
        directories=directories or None,
        external_memory_summary=loaded.metadata,
        summary_memory=summary or None,
        functions_definitions=functions,
        messages=shown,
    )


def _text(values: Any) -> str:
    return orjson.dumps(values).decode()


def _definition(tool: ToolRow) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _plain(message: MessageRow) -> dict[str, Any]:
    return {
        "id": message.id,
        "agent_id": message.agent_id,
        "role": message.role,
        "name": message.name,
        "content": to_json(message.parts),
        "created_at": message.created_at,
    }
