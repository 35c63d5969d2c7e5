"""The first messages an agent can be given."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from perdure.content.parts import Part, Text


class FirstText(BaseModel):
    """A text part."""

    model_config = ConfigDict(defer_build=True)

    type: Literal["text"] = "text"
    text: str


class FirstMessage(BaseModel):
    """A message that is in the agent's context from the start."""

    model_config = ConfigDict(defer_build=True)

    role: Literal["user", "system", "assistant"]
    content: Annotated[list[FirstText] | str, Field(description="Text, or a list of text parts.")]
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None
    type: Any = "message"

    def parts(self) -> tuple[Part, ...]:
        """The content in the server's own form."""
        texts = [self.content] if isinstance(self.content, str) else [part.text for part in self.content]
        return tuple(Text(text) for text in texts)
