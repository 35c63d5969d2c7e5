"""Begin a conversation, empty or with the history of another: all of it in one transaction."""

from dataclasses import replace

from sqlalchemy import Connection

from perdure.agents import isolated
from perdure.agents import store as agents
from perdure.agents.compiled import circumstances, composed, ingredients_of
from perdure.agents.conversations import store
from perdure.agents.conversations.place import Place, find
from perdure.agents.conversations.schemas import CreateConversation
from perdure.agents.conversations.store import ConversationRow, adapted
from perdure.agents.isolated import IsolatedBlock, copied, isolated_of, labelled, shadowed
from perdure.agents.model_settings import merge
from perdure.agents.prompt import Reader, fingerprint
from perdure.agents.store import AgentRow, blocks_of
from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.messages import store as messages
from perdure.messages.fork import fork_thread
from perdure.tenancy.actor import Actor


def begin(
    conn: Connection, actor: Actor, agent_id: str, body: CreateConversation, reader: Reader
) -> ConversationRow:
    """Begin a conversation with an agent."""
    agent = agents.get(conn, actor, agent_id)
    row = _asked(_fresh(actor, agent_id, hidden=body.hidden), body)
    own = copied(conn, actor, labelled(conn, agent_id, body.isolated_block_labels or ()))
    text, mark = _prompt(conn, adapted(agent, row), row.id, own, reader)
    messages.open_thread(conn, actor, agent_id, row.id, text, mark)
    _store(conn, row, own)
    return row


def fork(
    conn: Connection,
    actor: Actor,
    thread_id: str,
    *,
    reader: Reader,
    hidden: bool = False,
    until: str | None = None,
) -> ConversationRow:
    """Begin a conversation where another stands, or stood at a message; both go on apart."""
    source = find(conn, actor, thread_id)
    row = _forked(actor, source, hidden=hidden)
    own = copied(conn, actor, isolated_of(conn, thread_id))
    text, mark = _prompt(conn, source.agent, row.id, own, reader)
    thread = messages.get_thread(conn, actor, thread_id)
    fork_thread(conn, actor, thread, row.id, system_text=text, fingerprint=mark, until=until)
    _store(conn, row, own)
    return row


def _fresh(actor: Actor, agent_id: str, *, hidden: bool) -> ConversationRow:
    at = now()
    return ConversationRow(
        id=new_id("conv"),
        organization_id=actor.organization_id,
        agent_id=agent_id,
        summary=None,
        description=None,
        model=None,
        model_settings=None,
        context_window_limit=None,
        hidden=hidden,
        archived_at=None,
        last_message_at=None,
        last_run_completion=None,
        created_by_id=actor.user_id,
        last_updated_by_id=actor.user_id,
        created_at=at,
        updated_at=at,
    )


def _asked(row: ConversationRow, body: CreateConversation) -> ConversationRow:
    settings = body.model_settings.named() if body.model_settings else {}
    return replace(
        row,
        summary=body.summary,
        description=body.description,
        model=body.model,
        model_settings=merge({}, settings) or None,
        context_window_limit=body.context_window_limit,
    )


def _forked(actor: Actor, source: Place, *, hidden: bool) -> ConversationRow:
    row = _fresh(actor, source.agent.id, hidden=hidden)
    if (old := source.conversation) is None:
        return row
    return replace(
        row,
        summary=old.summary,
        description=old.description,
        model=old.model,
        model_settings=old.model_settings,
        context_window_limit=old.context_window_limit,
        last_message_at=old.last_message_at,
    )


def _prompt(
    conn: Connection, agent: AgentRow, thread_id: str, own: list[IsolatedBlock], reader: Reader
) -> tuple[str, str]:
    made_of = ingredients_of(conn, agent, shadowed(blocks_of(conn, agent.id), own), reader)
    return composed(conn, made_of, circumstances(conn, agent, thread_id)), fingerprint(made_of)


def _store(conn: Connection, row: ConversationRow, own: list[IsolatedBlock]) -> None:
    store.insert_conversation(conn, row)
    isolated.link(conn, row.id, own)
