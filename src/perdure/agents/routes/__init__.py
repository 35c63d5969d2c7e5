"""Routes of agents and of what hangs on them."""

from fastapi import APIRouter

from perdure.agents.groups import routes as groups
from perdure.agents.routes import (
    agents,
    archives,
    blocks,
    memory,
    prompts,
    tags,
    tool_changes,
    tool_runs,
    tools,
)

router = APIRouter()
for part in (agents, groups, blocks, memory, tools, archives, prompts, tags, tool_changes, tool_runs):
    router.routes.extend(part.router.routes)
