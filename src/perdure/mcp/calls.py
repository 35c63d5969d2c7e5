"""A call of a tool that no model made: checked and answered as a model's is."""

from collections.abc import Mapping
from typing import Any

from perdure.kit.errors import PerdureError
from perdure.mcp.servers import Servers
from perdure.tenancy.actor import Actor
from perdure.tools.arguments import check
from perdure.tools.base import Returned
from perdure.tools.dispatch import as_text, cut
from perdure.tools.store import ToolRow


async def run_tool(servers: Servers, actor: Actor, tool: ToolRow, arguments: Mapping[str, Any]) -> Returned:
    """What the tool returned; what went wrong is an error's text rather than an error."""
    values, faults = check(tool.parameters, arguments)
    if faults:
        return Returned(None, "error", stderr=(f"{tool.name} was not run: {'; '.join(faults)}.",))
    try:
        done = await servers.run(actor, tool, values)
    except PerdureError as error:
        return Returned(None, "error", stderr=(error.detail,))
    text = cut(as_text(done.value), tool.return_char_limit)
    return (
        Returned(text, done.status) if done.status == "success" else Returned(None, "error", stderr=(text,))
    )
