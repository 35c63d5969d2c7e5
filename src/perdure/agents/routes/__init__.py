"""Routes of agents and of what hangs on them."""

from fastapi import APIRouter

from perdure.agents.routes import agents, blocks, prompts, tags, tools

router = APIRouter()
for part in (agents.router, blocks.router, tools.router, prompts.router, tags.router):
    router.routes.extend(part.routes)
