"""The first messages an agent can be given."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from perdure.agents.schemas.types import Text
from perdure.content import parts


class FirstText(BaseModel):
    """A text part."""

    model_config = ConfigDict(defer_build=True)

    type: Literal["text"] = "text"
    text: Text


class FirstMessage(BaseModel):
    """A message that is in the agent's context from the start."""

    model_config = ConfigDict(defer_build=True)

    role: Literal["user", "system", "assistant"]
    content: Annotated[list[FirstText] | Text, Field(description="Text, or a list of text parts.")]
    name: Text | None = None
    otid: Text | None = None
    sender_id: Text | None = None
    group_id: Text | None = None
    type: Any = "message"

    def parts(self) -> tuple[parts.Part, ...]:
        """The content in the server's own form."""
        texts = [self.content] if isinstance(self.content, str) else [one.text for one in self.content]
        return tuple(parts.Text(text) for text in texts)
