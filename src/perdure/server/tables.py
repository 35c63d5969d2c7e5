"""All tables: whoever needs the whole metadata takes it from here, so that no table is forgotten."""

from perdure.agents import tables as _agents
from perdure.agents.conversations import tables as _conversations
from perdure.agents.folders import tables as _agents_files
from perdure.agents.groups import tables as _groups
from perdure.archives import tables as _archives
from perdure.db.schema import metadata
from perdure.files import tables as _files
from perdure.mcp import tables as _mcp
from perdure.memory import tables as _memory
from perdure.memory.versions import tables as _versions
from perdure.messages import tables as _messages
from perdure.passages import tables as _passages
from perdure.providers import tables as _providers
from perdure.runs import tables as _runs
from perdure.tenancy import tables as _tenancy
from perdure.tools import tables as _tools
from perdure.tools.sandboxes import tables as _sandboxes

__all__ = ["metadata"]

DECLARED = (
    _agents,
    _archives,
    _agents_files,
    _conversations,
    _groups,
    _versions,
    _files,
    _mcp,
    _memory,
    _messages,
    _passages,
    _providers,
    _runs,
    _sandboxes,
    _tenancy,
    _tools,
)
