"""Makes what runs tools of all kinds, and joins it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from perdure.agents import voice as voice_tools
from perdure.agents.facts import Facts
from perdure.agents.folders import tools as file_tools
from perdure.archives import tools as archive_tools
from perdure.chat import tools as agent_tools
from perdure.chat.correspondence import Correspondence
from perdure.chat.send import Sender
from perdure.config import Settings
from perdure.db import Database
from perdure.kit.outbound import Fetcher
from perdure.mcp.registered import KIND as MCP
from perdure.mcp.servers import Servers as McpServers
from perdure.memory import tools as memory_tools
from perdure.memory.reach import remember
from perdure.messages import tools as message_tools
from perdure.sandbox.base import Sandbox
from perdure.server.knowledge import Knowledge
from perdure.tenancy.keyring import KeyRing
from perdure.tools import code as code_tools
from perdure.tools.base import bound
from perdure.tools.code import CodeRunner
from perdure.tools.custom.execute import CustomTools
from perdure.tools.dispatch import Dispatcher
from perdure.tools.programs import tools as program_tools
from perdure.tools.programs.programs import Programs
from perdure.tools.send_message import send_message
from perdure.web import tools as web_tools
from perdure.web.tools import Web

BUILTINS = (
    send_message,
    *memory_tools.TOOLS,
    *message_tools.TOOLS,
    *archive_tools.TOOLS,
    *voice_tools.TOOLS,
    *file_tools.TOOLS,
    *agent_tools.TOOLS,
    *web_tools.TOOLS,
    *code_tools.TOOLS,
    *program_tools.TOOLS,
)


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What runs tools; those that work by sending to agents come with `add_correspondence`."""

    dispatcher: Dispatcher
    custom: CustomTools
    mcp_servers: McpServers
    programs: Programs

    def add_correspondence(self, sender: Sender, settings: Settings) -> None:
        """The sender calls tools, so it can be made only after them."""
        self.dispatcher.add(bound(agent_tools.TOOLS, Correspondence(sender, settings.multiagent)))


def open_toolbox(
    settings: Settings,
    db: Database,
    ring: KeyRing,
    facts: Facts,
    fetcher: Fetcher,
    sandbox: Sandbox,
    knowledge: Knowledge,
    address: Callable[[], str | None],
) -> Toolbox:
    """All that runs tools; `address` tells where they reach this server, if they can."""
    limits, longest_install = settings.sandbox.limits, settings.sandbox.environments.seconds
    mcp_servers = McpServers(
        db, ring, fetcher, settings.mcp, settings.home, facts, settings.sandbox, settings.surroundings
    )
    custom = CustomTools(db, ring, sandbox, settings.tools, limits, longest_install, remember, address)
    dispatcher = Dispatcher(BUILTINS, {"custom": custom.execute, MCP: mcp_servers.execute})
    runner = CodeRunner(sandbox, limits, settings.tools)
    places = asyncio.Semaphore(settings.sandbox.programs)
    programs = Programs(runner, dispatcher, ring, address, places)
    dispatcher.add(bound((*archive_tools.TOOLS, *voice_tools.TOOLS), knowledge.archives))
    dispatcher.add(bound(file_tools.TOOLS, knowledge.files))
    dispatcher.add(bound(web_tools.TOOLS, Web(fetcher, settings.search, settings.environment)))
    dispatcher.add(bound(code_tools.TOOLS, runner))
    dispatcher.add(bound(program_tools.TOOLS, programs))
    return Toolbox(dispatcher, custom, mcp_servers, programs)
