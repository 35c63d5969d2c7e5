"""The application: routes, errors, and what they share."""

from collections.abc import Mapping

from fastapi import FastAPI

import perdure
from perdure.agents.conversations.routes import router as conversations
from perdure.agents.routes import router as agents
from perdure.archives.routes import router as archives
from perdure.chat.cancel import router as cancel
from perdure.chat.compact import router as compact
from perdure.chat.conversations import router as conversation_messages
from perdure.chat.generate import router as generate
from perdure.chat.generate_tool import router as generate_tool
from perdure.chat.mcp.endpoint import route as mcp
from perdure.chat.openai.routes import router as openai
from perdure.chat.preview import router as preview
from perdure.chat.repair import router as repair
from perdure.chat.reset import router as reset
from perdure.chat.resume import router as resume
from perdure.chat.routes import router as chat
from perdure.config import Settings
from perdure.embeddings.tool_search import router as tool_search
from perdure.files.routes import router as folders
from perdure.mcp.callback import router as mcp_callback
from perdure.mcp.legacy import router as mcp_legacy
from perdure.mcp.routes import router as mcp_servers
from perdure.memory.history.routes import router as block_history
from perdure.memory.routes import router as memory
from perdure.messages.routes import router as messages
from perdure.providers.base import ModelClient
from perdure.providers.routes import router as providers
from perdure.runs.routes import router as runs
from perdure.server import errors
from perdure.server.logs import RequestLog
from perdure.server.paths import OneSpelling, declared_paths
from perdure.server.routes import router as health
from perdure.server.wiring import Wiring
from perdure.tenancy.routes import router as tenancy
from perdure.tools.programs.routes import router as programs
from perdure.tools.routes import router as tools
from perdure.tools.sandboxes.routes import router as sandboxes

# Matching goes through the routes in this order: the busiest first.
ROUTERS = (
    chat,
    conversation_messages,
    folders,  # a folder may be named as one of the routes below it
    agents,
    conversations,
    memory,
    block_history,
    archives,
    runs,
    programs,
    tool_search,
    tools,
    mcp_servers,
    mcp_legacy,
    mcp_callback,
    sandboxes,
    providers,
    messages,
    cancel,
    compact,
    resume,
    generate,
    generate_tool,
    preview,
    reset,
    repair,
    openai,
    tenancy,
    health,
)


def create_app(settings: Settings, *, static: Mapping[str, ModelClient] | None = None) -> FastAPI:
    """The server for these settings. `static` are models of its own, by provider name (tests, demos)."""
    app = FastAPI(
        title="Perdure",
        version=perdure.__version__,
        description="The self-hosted home of stateful agents. Compatible with the Letta V1 API.",
        lifespan=Wiring(settings, static or {}).lifespan,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    for router in ROUTERS:  # as they are: included, every route would be built once more by the first request
        app.router.routes.extend(router.routes)
    app.router.routes.append(mcp)
    errors.install(app)
    app.add_middleware(OneSpelling, roots=declared_paths(ROUTERS))
    if settings.log.requests:
        app.add_middleware(RequestLog)
    return app
