"""Agents that look after the memory of others: made and removed with `enable_sleeptime`."""

from dataclasses import replace

from sqlalchemy import Connection

from perdure.agents import create, store
from perdure.agents.base_tools import BASE_TOOLS
from perdure.agents.create import NewAgent
from perdure.agents.delete import delete_agent
from perdure.agents.groups import store as groups
from perdure.agents.groups.store import FREQUENCY, GroupRow
from perdure.agents.prompt import ANY_READER, Reader
from perdure.agents.stock_prompts import PROMPTS
from perdure.agents.store import AgentRow
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument
from perdure.kit.ids import new_id
from perdure.memory import store as memory
from perdure.tenancy.actor import Actor

PERSONA_LABEL = "memory_persona"
PERSONA = "I look after what {name} remembers. I keep it short, true and in order."
PERSONA_IS = (
    "How you look after the memory: what matters to you, and what you have learned about doing it well."
)
VOICE = "voice_convo_agent"


def store_with_helper(conn: Connection, actor: Actor, new: NewAgent) -> AgentRow:
    """Store a planned agent, and the one that looks after its memory where that is wanted."""
    agent = create.store_agent(conn, actor, new)
    if agent.enable_sleeptime:
        add_helper(conn, actor, agent, new.reader)
    return agent


def set_helper(conn: Connection, actor: Actor, before: AgentRow) -> None:
    """Add or remove the helper of an agent that has just been changed."""
    agent = store.get(conn, actor, before.id)
    group = groups.managed_by(conn, [agent.id]).get(agent.id)
    if agent.enable_sleeptime and group is None:
        if groups.helped_by(conn, agent.id):
            raise InvalidArgument("enable_sleeptime: this agent itself looks after the memory of another.")
        # Without its true reader its prompt is compiled anew by the first request, as after any change.
        add_helper(conn, actor, agent, ANY_READER)
    if not agent.enable_sleeptime and group:
        delete_agent(conn, actor, group.helper_agent_id)


def add_helper(conn: Connection, actor: Actor, agent: AgentRow, reader: Reader) -> None:
    """Make the helper of an agent: it shares the agent's blocks, and has one of its own."""
    said = {"label": PERSONA_LABEL, "value": PERSONA.format(name=agent.name), "description": PERSONA_IS}
    persona = memory.create(conn, actor, said)
    shared = [block.id for block in store.blocks_of(conn, agent.id) if block.label != PERSONA_LABEL]
    kind = "voice_sleeptime" if agent.agent_type == VOICE else "sleeptime"
    row = replace(
        agent,
        id=new_id("agent"),
        name=f"{agent.name}-sleeptime",
        description=f"Looks after the memory of {agent.name}.",
        metadata={},
        agent_type=f"{kind}_agent",
        system=PROMPTS[f"{kind}_agent"],
        tool_rules=[],
        message_buffer_autoclear=True,  # each look begins afresh: what it has learned is in the blocks
        enable_sleeptime=False,
        has_folders=False,
        multitask_strategy=None,
        last_run_completion=None,
        last_run_duration_ms=None,
        last_stop_reason=None,
        created_at=(at := now()),
        updated_at=at,
    )
    helper = create.store_agent(conn, actor, _planned(row, reader, [*shared, persona.id]))
    groups.insert_group(conn, _group(agent, helper, kind, persona.id))


def _planned(row: AgentRow, reader: Reader, block_ids: list[str]) -> NewAgent:
    return NewAgent(
        row=row,
        reader=reader,
        tags=(),
        secrets=(),
        blocks=(),
        block_ids=block_ids,
        base_tools=BASE_TOOLS[row.agent_type],
        tools=(),
        tool_ids=(),
        folder_ids=(),
        base_tool_rules=None,
        first_messages=None,
    )


def _group(agent: AgentRow, helper: AgentRow, kind: str, persona_block_id: str) -> GroupRow:
    return GroupRow(
        id=new_id("group"),
        organization_id=agent.organization_id,
        manager_type=kind,
        manager_agent_id=agent.id,
        helper_agent_id=helper.id,
        persona_block_id=persona_block_id,
        description=f"{agent.name}, and who looks after its memory",
        frequency=FREQUENCY,
        turns_counter=-1,
        due=None,
        look_message_id=None,
        look_at=None,
        look_run_id=None,
        seen_message_id=None,
        seen_at=None,
        created_at=helper.created_at,
        updated_at=helper.created_at,
    )
