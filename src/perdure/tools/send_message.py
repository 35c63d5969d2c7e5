"""How older agent types speak: their visible words are the argument of this tool."""

from perdure.tools.base import ToolContext, tool

DELIVERED = "The message was delivered."


@tool("letta_core", repeatable=True)
async def send_message(ctx: ToolContext, message: str) -> str:  # noqa: ARG001
    """Say something to the person you talk with. They see nothing but what you send this way.

    Args:
        message: What to say, in any language; emoji are fine.
    """
    return DELIVERED
