"""The words of an agent, picked from the frames of its run: pure.

Its tool calls are its own business and are left out. Each thing it says, before and after its tools,
is one utterance.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from perdure.chat.schemas import StopReason
from perdure.messages.schemas import AssistantMessage, ReasoningMessage

WAITING = (
    "[A tool call of this agent waits for approval. Approve or deny it through the agent's messages, "
    "which this API cannot do.]"
)


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of what is said or thought; pieces of one utterance share its id."""

    kind: Literal["content", "reasoning_content"]
    utterance: str
    text: str


def words_of(frame: BaseModel) -> Words | None:
    """What a frame says, if anything."""
    match frame:
        case AssistantMessage():
            return Words("content", frame.otid or frame.id, _text(frame))
        case ReasoningMessage() if frame.reasoning:
            return Words("reasoning_content", frame.otid or frame.id, frame.reasoning)
        case StopReason(stop_reason="requires_approval"):
            return Words("content", "approval", WAITING)
        case _:
            return None


def _text(message: AssistantMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return "".join(part.text for part in message.content)


def finish_reason(stop_reason: str) -> Literal["stop", "length"]:
    """Why it ends, in OpenAI's words."""
    return "length" if stop_reason in ("max_tokens_exceeded", "max_steps") else "stop"
