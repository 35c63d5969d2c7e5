"""The compiled system prompt of a stored agent: sent again while true, composed anew when not."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from perdure.agents.folders.limits import limits_in
from perdure.agents.folders.store import directories_of
from perdure.agents.isolated import blocks_in
from perdure.agents.memories import memory_size
from perdure.agents.prompt import (
    ANY_READER,
    Circumstances,
    Ingredients,
    Reader,
    compose,
    fingerprint,
    ingredients,
    restamped,
)
from perdure.agents.store import AgentRow
from perdure.files.store import texts_of
from perdure.kit.clock import now
from perdure.memory.store import BlockRow
from perdure.messages import store as messages
from perdure.tenancy.actor import Actor
from perdure.tools.envelope import spelled


def compiled_prompt(
    conn: Connection,
    agent: AgentRow,
    thread_id: str,
    reader: Reader = ANY_READER,
    *,
    stored: tuple[str, str] | None = None,
    save: bool = True,
) -> str:
    """The system prompt of an agent's thread as of now.

    The stored text, byte for byte, as long as nothing it is made of has changed; else a new one, which
    is stored unless told otherwise. `reader` is the model that reads it; `stored` is the text and
    fingerprint that the caller has read already.
    """
    made_of = made_of_stored(conn, agent, thread_id, reader)
    mark = fingerprint(made_of)
    stored = stored or messages.prompt_of(conn, thread_id)
    if stored and stored[1] == mark:
        return stored[0]
    text = composed(conn, made_of, circumstances(conn, agent, thread_id))
    if save and stored:
        messages.save_prompt(conn, thread_id, text, mark)
    return text


def recompile(
    conn: Connection,
    agent: AgentRow,
    thread_id: str,
    *,
    reader: Reader = ANY_READER,
    update_timestamp: bool = False,
    dry_run: bool = False,
) -> str:
    """Compose the prompt of an agent's thread anew; returns what was (or would be) saved."""
    made_of = made_of_stored(conn, agent, thread_id, reader)
    at = circumstances(conn, agent, thread_id)
    stored = messages.prompt_of(conn, thread_id)
    if stored and not update_timestamp:
        at = restamped(at, stored[0])
    text = composed(conn, made_of, at)
    if not dry_run:
        messages.save_prompt(conn, thread_id, text, fingerprint(made_of))
    return text


def made_of_stored(conn: Connection, agent: AgentRow, thread_id: str, reader: Reader) -> Ingredients:
    """What the agent's prompt in a thread is made of."""
    return ingredients_of(conn, agent, blocks_in(conn, agent.id, thread_id), reader)


def ingredients_of(
    conn: Connection, agent: AgentRow, blocks: Sequence[BlockRow], reader: Reader
) -> Ingredients:
    """What a prompt of the agent with these blocks is made of."""
    directories = None
    if agent.has_folders:
        limits = limits_in(agent, reader.context_window)
        directories = directories_of(conn, agent.id, limits.files, limits.characters)
    rules = agent.tool_rules
    return ingredients(agent.agent_type, agent.system, blocks, rules, reader.provider_type, directories)


def composed(conn: Connection, made_of: Ingredients, at: Circumstances) -> str:
    """The text of a prompt, with what the open files say."""
    return compose(made_of, at, open_texts(conn, made_of))


def open_texts(conn: Connection, made_of: Ingredients) -> Mapping[str, str]:
    """The texts of the open files of a prompt, by their ids."""
    opened = made_of.directories.open_ids() if made_of.directories else []
    return texts_of(conn, opened)


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
