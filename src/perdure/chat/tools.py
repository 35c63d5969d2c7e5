"""Built-in tools by which agents talk to one another."""

from typing import Any

from perdure.chat.correspondence import Correspondence
from perdure.tools.base import ToolContext, ToolFailed, tool

KIND = "letta_multi_agent_core"


@tool(KIND)
async def send_message_to_agent_and_wait_for_reply(
    post: Correspondence, ctx: ToolContext, message: str, other_agent_id: str
) -> dict[str, Any]:
    """Send a message to another agent and wait for its answer, which you are given.

    Args:
        message: What to say. The other agent knows nothing of this conversation: say all that it needs.
        other_agent_id: The id of the agent, such as agent-123e4567-e89b-42d3-a456-426614174000.
    """
    answer = await post.ask(ctx, other_agent_id, message)
    if "response" not in answer:
        raise ToolFailed(f"{other_agent_id}: {answer['error']}")
    return answer


@tool(KIND)
async def send_message_to_agents_matching_tags(
    post: Correspondence, ctx: ToolContext, message: str, match_all: list[str], match_some: list[str]
) -> list[dict[str, Any]] | str:
    """Send a message to all agents with certain tags and wait for their answers, which you are given.

    Args:
        message: What to say. The other agents know nothing of this conversation: say all that they need.
        match_all: Tags of which an agent must have every one; empty if none is required.
        match_some: Tags of which an agent must have at least one; empty if none is required.
    """
    if not match_all and not match_some:
        raise ToolFailed("match_all, match_some: name at least one tag.")
    answers = await post.ask_tagged(ctx, message, match_all, match_some)
    return answers or "No other agent has these tags; nothing was sent."


@tool(KIND)
async def send_message_to_agent_async(
    post: Correspondence, ctx: ToolContext, message: str, other_agent_id: str
) -> str:
    """Send a message to another agent without waiting for an answer. It may write to you later.

    Args:
        message: What to say. The other agent knows nothing of this conversation: say all that it needs.
        other_agent_id: The id of the agent, such as agent-123e4567-e89b-42d3-a456-426614174000.
    """
    await post.tell(ctx, other_agent_id, message)
    return f"The message was sent to {other_agent_id}."


TOOLS = (
    send_message_to_agent_and_wait_for_reply,
    send_message_to_agents_matching_tags,
    send_message_to_agent_async,
)
