"""Routes of agents and of what hangs on them."""

from fastapi import APIRouter

from perdure.agents.groups import routes as groups
from perdure.agents.routes import (
    agents,
    archives,
    blocks,
    folders,
    memory,
    prompts,
    tags,
    tool_changes,
    tool_runs,
    tools,
)

router = APIRouter()
PARTS = (agents, groups, blocks, memory, tools, archives, folders, prompts, tags, tool_changes, tool_runs)
for part in PARTS:
    router.routes.extend(part.router.routes)
