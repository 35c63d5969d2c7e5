"""The compiled system prompt of a stored agent: sent again while true, composed anew when not."""

from collections.abc import Sequence

from sqlalchemy import Connection

from perdure.agents.isolated import blocks_in
from perdure.agents.memories import memory_size
from perdure.agents.prompt import (
    Circumstances,
    Ingredients,
    compose,
    fingerprint,
    ingredients,
    restamped,
)
from perdure.agents.store import AgentRow
from perdure.kit.clock import now
from perdure.memory.store import BlockRow
from perdure.messages import store as messages
from perdure.tenancy.actor import Actor
from perdure.tools.envelope import spelled


def compiled_prompt(
    conn: Connection,
    agent: AgentRow,
    thread_id: str,
    provider_type: str = "",
    *,
    stored: tuple[str, str] | None = None,
    save: bool = True,
) -> str:
    """The system prompt of an agent's thread as of now.

    The stored text, byte for byte, as long as nothing it is made of has changed; else a new one, which
    is stored unless told otherwise. `provider_type` is that of the agent's own model; `stored` is the
    text and fingerprint that the caller has read already.
    """
    made_of = made_of_stored(conn, agent, thread_id, provider_type)
    mark = fingerprint(made_of)
    stored = stored or messages.prompt_of(conn, thread_id)
    if stored and stored[1] == mark:
        return stored[0]
    text = compose(made_of, circumstances(conn, agent, thread_id))
    if save and stored:
        messages.save_prompt(conn, thread_id, text, mark)
    return text


def recompile(
    conn: Connection,
    agent: AgentRow,
    thread_id: str,
    *,
    provider_type: str = "",
    update_timestamp: bool = False,
    dry_run: bool = False,
) -> str:
    """Compose the prompt of an agent's thread anew; returns what was (or would be) saved."""
    made_of = made_of_stored(conn, agent, thread_id, provider_type)
    at = circumstances(conn, agent, thread_id)
    stored = messages.prompt_of(conn, thread_id)
    if stored and not update_timestamp:
        at = restamped(at, stored[0])
    text = compose(made_of, at)
    if not dry_run:
        messages.save_prompt(conn, thread_id, text, fingerprint(made_of))
    return text


def made_of_stored(conn: Connection, agent: AgentRow, thread_id: str, provider_type: str) -> Ingredients:
    """What the agent's prompt in a thread is made of."""
    return ingredients_of(agent, blocks_in(conn, agent.id, thread_id), provider_type)


def ingredients_of(agent: AgentRow, blocks: Sequence[BlockRow], provider_type: str) -> Ingredients:
    """What a prompt of the agent with these blocks is made of."""
    return ingredients(agent.agent_type, agent.system, blocks, agent.tool_rules, provider_type)


def circumstances(conn: Connection, agent: AgentRow, thread_id: str) -> Circumstances:
    """The counts and the time that a prompt compiled now would tell."""
    actor = Actor(agent.organization_id)
    everything = messages.count(conn, actor, thread_id)
    archival, tags = memory_size(conn, actor, agent.id)
    return Circumstances(
        agent_id=agent.id,
        stamp=spelled(now(), agent.timezone),
        conversation_id="default" if thread_id == agent.id else thread_id,
        recall=max(0, everything - len(messages.context_ids(conn, thread_id))),
        archival=archival,
        archival_tags=tags,
    )
