"""How many files an agent may have open, and how much of each it sees: as set, else by its context window."""

from collections.abc import Iterable
from dataclasses import dataclass

from perdure.agents.model_facts import describe
from perdure.agents.model_settings import context_window, file_limits
from perdure.agents.store import AgentRow
from perdure.providers.catalog import Models
from perdure.tenancy.actor import Actor


@dataclass(frozen=True, slots=True)
class FileLimits:
    """The most files open at once, and the most characters shown of each."""

    files: int
    characters: int


def limits_in(agent: AgentRow, model_window: int) -> FileLimits:
    """The limits in force for an agent whose model has this window."""
    files, characters = file_limits(context_window(agent.context_window_limit, model_window))
    return FileLimits(agent.max_files_open or files, agent.per_file_view_window_char_limit or characters)


async def limits_of(models: Models, actor: Actor, agents: Iterable[AgentRow]) -> dict[str, FileLimits]:
    """The limits in force for some agents, by id."""
    rows = list(agents)
    facts = await describe(models, actor, {agent.model for agent in rows})
    return {agent.id: limits_in(agent, facts[agent.model].context_window) for agent in rows}
