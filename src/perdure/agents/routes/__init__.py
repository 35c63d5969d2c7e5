"""Routes of agents and of what hangs on them."""

from fastapi import APIRouter

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
for part in (agents, blocks, memory, tools, archives, prompts, tags, tool_changes, tool_runs):
    router.routes.extend(part.router.routes)
