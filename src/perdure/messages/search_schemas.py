"""Searches of messages and what they find, as clients see them."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from perdure.content.parts import Text, calls_of, returns_of
from perdure.db.search import lexemes
from perdure.kit.clock import Moment
from perdure.kit.errors import InvalidArgument
from perdure.messages.render import render
from perdure.messages.schemas import (
    AssistantMessage,
    ContentPart,
    SystemMessage,
    TextContent,
    UserMessage,
    WireTime,
)
from perdure.messages.search import Search, behind
from perdure.messages.spoken import MessageTool
from perdure.messages.store import MessageRow

StoredRole = Literal["assistant", "user", "tool", "function", "system", "approval", "summary"]


class SearchAllMessagesRequest(BaseModel):
    """What to look for in all that was said."""

    query: str
    search_mode: Literal["vector", "fts", "hybrid"] = Field(
        "hybrid", description="By words, whatever their form; `vector` alone needs embeddings of messages."
    )
    agent_id: str | None = None
    conversation_id: str | None = Field(None, description="`default`: outside of any conversation.")
    limit: int = Field(50, ge=1, le=100)
    start_date: Moment | None = Field(None, description="Nothing before; UTC unless it says otherwise.")
    end_date: Moment | None = Field(None, description="Nothing after; UTC unless it says otherwise.")

    def wanted(self, roles: tuple[str, ...]) -> Search:
        """The search; `InvalidArgument` for one that cannot be made."""
        if self.search_mode == "vector":
            raise InvalidArgument("search_mode: messages are found by their words; use `fts` or `hybrid`.")
        return Search(
            query=self.query or "",
            roles=roles,
            agent_id=self.agent_id,
            thread_id=self.conversation_id,
            start=self.start_date,
            end=behind(self.end_date),
            limit=self.limit,
            mode=self.search_mode,
        )


class MessageSearchRequest(SearchAllMessagesRequest):
    """The same with roles; without a query the latest messages are found."""

    query: str | None = None  # type: ignore[reportIncompatibleVariableOverride]
    roles: list[StoredRole] | None = None


class FoundMessage(BaseModel):
    """Where and when it was said."""

    message_id: str
    agent_id: str
    conversation_id: str | None = None
    created_at: WireTime


class FoundSystemMessage(FoundMessage):
    """Instructions, not said by anybody."""

    message_type: Literal["system_message"] = "system_message"
    content: str


class FoundUserMessage(FoundMessage):
    """Said by a person."""

    message_type: Literal["user_message"] = "user_message"
    content: str | list[ContentPart]


class FoundAssistantMessage(FoundMessage):
    """Said by the agent."""

    message_type: Literal["assistant_message"] = "assistant_message"
    content: str | list[TextContent]


Found = Annotated[
    FoundSystemMessage | FoundUserMessage | FoundAssistantMessage, Field(discriminator="message_type")
]


class StoredMessage(BaseModel):
    """A message as it is stored, its images left out."""

    id: str
    agent_id: str
    conversation_id: str | None
    role: StoredRole
    content: list[TextContent]
    name: str | None
    tool_calls: list[dict[str, Any]]
    tool_returns: list[dict[str, Any]]
    step_id: str | None
    run_id: str | None
    otid: str | None
    group_id: str | None
    sender_id: str | None
    is_err: bool
    created_at: WireTime


class MessageSearchResult(BaseModel):
    """A message, and how well it fits."""

    embedded_text: str
    message: StoredMessage
    fts_rank: int | None
    vector_rank: int | None = None
    rrf_score: float


def shown(row: MessageRow, words: frozenset[str]) -> Iterator[Found]:
    """What a message says, as results: of several pieces those with the words, if any has."""
    place: dict[str, Any] = {"message_id": row.id, "agent_id": row.agent_id, "created_at": row.created_at}
    place["conversation_id"] = conversation_of(row)
    said = render(row, MessageTool())
    with_words = [
        message for message in said if isinstance(message, AssistantMessage) and _has_any(message, words)
    ]
    for message in said:
        match message:
            case SystemMessage():
                yield FoundSystemMessage(**place, content=message.content)
            case UserMessage():
                yield FoundUserMessage(**place, content=message.content)
            case AssistantMessage() if not with_words or message in with_words:
                yield FoundAssistantMessage(**place, content=message.content)
            case _:
                pass


def _has_any(message: AssistantMessage, words: frozenset[str]) -> bool:
    return not words.isdisjoint(lexemes(str(message.content)))


def stored(row: MessageRow) -> StoredMessage:
    """A message with its calls and returns."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in calls_of(row.parts)
    ]
    returns = [
        {"tool_call_id": back.call_id, "status": back.status, "func_response": back.text}
        for back in returns_of(row.parts)
    ]
    return StoredMessage(
        id=row.id,
        agent_id=row.agent_id,
        conversation_id=conversation_of(row),
        role=row.role,
        content=[TextContent(text=part.text) for part in row.parts if isinstance(part, Text)],
        name=row.name,
        tool_calls=calls,
        tool_returns=returns,
        step_id=row.step_id,
        run_id=row.run_id,
        otid=row.otid,
        group_id=row.group_id,
        sender_id=row.sender_id,
        is_err=row.is_err,
        created_at=row.created_at,
    )


def conversation_of(row: MessageRow) -> str | None:
    """The conversation it was said in; an agent's own history is none."""
    return None if row.thread_id == row.agent_id else row.thread_id
