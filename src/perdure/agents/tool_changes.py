"""Changing and deleting tools, with what agents' rules say of them."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from perdure.agents import store
from perdure.agents.tables import agents, agents_tools
from perdure.tenancy.actor import Actor, is_owned
from perdure.tools import store as tools
from perdure.tools.rules.names import Rule, renamed, without_tool
from perdure.tools.store import ToolRow


def change_tool(conn: Connection, actor: Actor, tool_id: str, values: Mapping[str, Any]) -> ToolRow:
    """Change a tool for all agents; where its name changes, their rules about it follow."""
    old = tools.get(conn, actor, tool_id).name
    row = tools.change(conn, actor, tool_id, values)
    if row.name != old:
        _retell(conn, actor, tool_id, lambda rules: renamed(rules, old, row.name))
    return row


def delete_tool(conn: Connection, actor: Actor, tool_id: str) -> None:
    """Delete a tool; the agents that had it lose it, and the rules about it."""
    name = tools.get(conn, actor, tool_id).name
    _retell(conn, actor, tool_id, lambda rules: without_tool(rules, name))
    tools.remove(conn, actor, tool_id)


def _retell(conn: Connection, actor: Actor, tool_id: str, change: Callable[[list[Rule]], list[Rule]]) -> None:
    """Change the rules of the agents that have a tool."""
    users = (
        select(agents.c.id, agents.c.tool_rules)
        .join(agents_tools, agents_tools.c.agent_id == agents.c.id)
        .where(is_owned(agents, actor), agents_tools.c.tool_id == tool_id)
    )
    for agent_id, rules in conn.execute(users).all():
        if (changed := change(rules)) != rules:
            store.update_agent(conn, actor, agent_id, {"tool_rules": changed})
