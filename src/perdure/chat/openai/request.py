"""What OpenAI's clients send, and the one message of it that the agent is told: pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from perdure.chat.schemas import MessageCreate, SendMessage
from perdure.kit.errors import InvalidArgument
from perdure.messages.schemas import ContentPart, ImageContent, TextContent, UrlImage

TEXTS = ("text", "input_text")
IMAGES = ("image_url", "input_image")
SHOWN = ["assistant_message", "reasoning_message"]  # an agent's tool calls are its own business
MODEL = "Id of an agent, its name if no other agent has it, or the id of a conversation."


class SaidMessage(BaseModel):
    """A message of a conversation; what else it holds is not read."""

    type: str | None = None
    role: str | None = None
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(BaseModel):
    """What a stream holds besides words."""

    include_usage: bool = False


class ChatCompletionRequest(BaseModel):
    """A request for a chat completion."""

    model: str = Field(description=MODEL)
    messages: list[SaidMessage] = Field(
        min_length=1, description="Only the last user message is read; the agent remembers the others."
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = 1


class ResponseRequest(BaseModel):
    """A request for a response."""

    model: str = Field(description=MODEL)
    input: str | list[SaidMessage] = Field(
        description="Only the last user message is read; the agent remembers the others."
    )
    stream: bool | None = False


def sending(messages: Sequence[SaidMessage], field: str, *, stream: bool) -> SendMessage:
    """The request to the agent."""
    index = last_user(messages, field)
    said = messages[index]
    content: str | list[ContentPart] = (
        said.content
        if isinstance(said.content, str)
        else [_part(part, f"{field}[{index}].content[{i}]") for i, part in enumerate(said.content or ())]
    )
    return SendMessage.model_validate(
        {
            "messages": [MessageCreate(role="user", content=content)],
            "streaming": stream,
            "stream_tokens": stream,
            "include_return_message_types": SHOWN,
        }
    )


def last_user(messages: Sequence[SaidMessage], field: str) -> int:
    """Where the message to be sent is; `InvalidArgument` when nobody said anything."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "user":
            return index
    raise InvalidArgument(f"{field}: there is no message of role `user` for the agent to answer.")


def _part(part: Mapping[str, Any], field: str) -> ContentPart:
    kind = part.get("type")
    if kind in TEXTS and isinstance(part.get("text"), str):
        return TextContent(text=part["text"])
    if kind in IMAGES:
        image: Any = part.get("image_url")
        url: Any = image.get("url") if isinstance(image, Mapping) else image  # type: ignore[reportUnknownVariableType]
        if isinstance(url, str):
            return ImageContent(source=UrlImage(url=url))
    raise InvalidArgument(f"{field}: send text or an image with its `image_url`; `{kind}` is neither.")
