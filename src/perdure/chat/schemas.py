"""Requests to an agent and what answers them, as clients see them."""

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from perdure.agents.schemas.compaction import CompactionSettings
from perdure.agents.schemas.types import MultitaskStrategy
from perdure.kit.ids import AgentId, RunId
from perdure.messages.schemas import ApprovalReply, ContentPart, LettaMessage, MessageType

DEFAULT_MAX_STEPS = 50


class MessageCreate(BaseModel):
    """A message to send."""

    type: Literal["message"] | None = "message"
    role: Literal["user", "system", "assistant"]
    content: str | list[ContentPart]
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None


class ToolReturnWord(BaseModel):
    """What one of the client's own tools returned."""

    type: Literal["tool"] = "tool"
    tool_call_id: str
    tool_return: str | list[ContentPart]
    status: Literal["success", "error"]
    stdout: list[str] | None = None
    stderr: list[str] | None = None


class ApprovalCreate(BaseModel):
    """A person's words on calls that wait; `approve` alone is the older form, for one call."""

    type: Literal["approval"] = "approval"
    approvals: list[Annotated[ApprovalReply | ToolReturnWord, Field(discriminator="type")]] | None = None
    approve: bool | None = None
    approval_request_id: str | None = None
    reason: str | None = None
    otid: str | None = None
    group_id: str | None = None

    @model_validator(mode="after")
    def says_something(self) -> "ApprovalCreate":
        """A word on each call, or one on the only call."""
        if not self.approvals and self.approve is None:
            raise ValueError("Send `approvals` with a word on each call, or `approve` for the only one.")
        return self


class ToolReturnCreate(BaseModel):
    """Short for an approval that only brings what the client's own tools returned."""

    type: Literal["tool_return"] = "tool_return"
    tool_returns: list[ToolReturnWord] = Field(min_length=1)
    otid: str | None = None
    group_id: str | None = None


def kind_of_input(item: Any) -> str:
    """Which input an item is where it does not say so itself."""
    fields = cast("dict[str, Any]", item if isinstance(item, dict) else vars(item))
    if fields.get("type"):
        return fields["type"]
    if any(fields.get(name) is not None for name in ("approve", "approvals", "approval_request_id")):
        return "approval"
    return "tool_return" if fields.get("tool_returns") else "message"


InputItem = Annotated[
    Annotated[MessageCreate, Tag("message")]
    | Annotated[ApprovalCreate, Tag("approval")]
    | Annotated[ToolReturnCreate, Tag("tool_return")],
    Discriminator(kind_of_input),
]


class ClientTool(BaseModel):
    """A tool that the client runs itself: a call of it ends the turn and waits for its return."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")
    description: str | None = None
    parameters: dict[str, Any] | None = None


class ClientSkill(BaseModel):
    """A skill in the client's environment: the model is told of it, and reads it with the client's tools."""

    name: str
    description: str
    location: str = Field(description="Its path there, such as `skills/deploy/SKILL.md`.")


class TurnOptions(BaseModel):
    """How a request wishes its turn to be: what is kept of a request while it is worked on."""

    max_steps: int = Field(DEFAULT_MAX_STEPS, ge=1, description="Model calls at the most.")
    use_assistant_message: bool = Field(
        True, description="Show calls of the message tool as assistant messages (older agent types)."
    )
    assistant_message_tool_name: str = "send_message"
    assistant_message_tool_kwarg: str = "message"
    include_return_message_types: list[MessageType] | None = None
    client_tools: list[ClientTool] | None = Field(
        None, description="Tools of the client's own, for this request only."
    )
    client_skills: list[ClientSkill] | None = Field(
        None, description="Skills of the client's own, shown to the model for this request only."
    )
    include_compaction_messages: bool = Field(
        False, description="Tell when older messages leave the context, and the summary in their place."
    )
    override_model: str | None = Field(None, description="Handle of the model for this request only.")
    override_system: str | None = Field(None, description="System prompt for this request only.")


class SendOptions(TurnOptions):
    """What every way of sending takes."""

    messages: list[InputItem] | None = None
    input: str | list[ContentPart] | None = Field(None, description="Short for one user message.")
    multitask_strategy: MultitaskStrategy | None = Field(
        None,
        description="While another request is worked on: refuse this one with 409 (`reject`), let it wait "
        "(`enqueue`), or stop the other first (`interrupt`). Without it, the agent's own.",
    )

    @model_validator(mode="before")
    @classmethod
    def accept_system_alias(cls, data: Any) -> Any:
        """`system` is another name of `override_system`."""
        if isinstance(data, dict) and "system" in data:
            data = {"override_system": data["system"], **data}  # type: ignore[reportUnknownVariableType]
        return data  # type: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def exactly_one_input(self) -> "SendOptions":
        """Say `messages` or `input`, not both, not neither."""
        if (self.messages is None) == (self.input is None):
            raise ValueError("Send exactly one of `messages` and `input`.")
        return self

    def for_turn(self) -> TurnOptions:
        """What of it the turn needs."""
        return TurnOptions.model_construct(
            self.model_fields_set & TurnOptions.model_fields.keys(),
            **{name: getattr(self, name) for name in TurnOptions.model_fields},
        )


class SendMessage(SendOptions):
    """A request that may ask for a stream."""

    streaming: bool = False
    stream_tokens: bool = Field(False, description="Stream token by token, not message by message.")
    include_pings: bool = True
    background: bool = Field(False, description="Number the frames, so that a reader can come back.")

    @model_validator(mode="after")
    def streaming_options_need_a_stream(self) -> "SendMessage":
        """Options of streams make no sense without one."""
        if not self.streaming:
            for name in ("stream_tokens", "background"):
                if getattr(self, name):
                    raise ValueError(f"`{name}` needs `streaming: true`.")
        return self


class StreamMessage(SendMessage):
    """A request to the route that always streams."""

    streaming: bool = True


class ConversationMessage(SendMessage):
    """A request to a conversation, which streams unless told otherwise."""

    streaming: bool = True
    agent_id: AgentId | None = Field(None, description="Whose default conversation is meant.")


class AsyncMessage(SendOptions):
    """A request that is answered at once with its run."""

    callback_url: str | None = Field(None, description="Is told how the run ended, signed.")


class ResumeStream(BaseModel):
    """From where, and how, to read the stream of a background run."""

    starting_after: int = Field(default=0, ge=0, description="The last `seq_id` that was seen; 0 for all.")
    include_pings: bool | None = True
    poll_interval: float | None = Field(
        default=0.1,
        ge=0,
        description="Seconds between looks at a run of another server, where none tells us of news.",
    )
    batch_size: int | None = Field(default=100, ge=1, description="Frames read from the database at once.")
    run_id: RunId | None = Field(default=None, description="Whose stream, where a conversation has many.")
    otid: str | None = Field(default=None, description="Of an input: the run it began.")
    agent_id: AgentId | None = Field(default=None, description="Whose default conversation is meant.")


class StopReason(BaseModel):
    """Why a turn ended."""

    message_type: Literal["stop_reason"] = "stop_reason"
    stop_reason: str


class UsageStatistics(BaseModel):
    """Tokens of a turn; null where the provider does not tell."""

    message_type: Literal["usage_statistics"] = "usage_statistics"
    completion_tokens: int = 0
    prompt_tokens: int = 0
    total_tokens: int = 0
    step_count: int = 0
    run_ids: list[str] | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    context_tokens: int | None = None


class Ping(BaseModel):
    """A sign of life."""

    message_type: Literal["ping"] = "ping"
    id: str
    date: str
    name: None = None
    otid: None = None
    sender_id: None = None
    step_id: None = None
    is_err: None = None
    seq_id: int | None = None
    run_id: str


class ErrorMessage(BaseModel):
    """A turn that failed, in a stream."""

    message_type: Literal["error_message"] = "error_message"
    run_id: str
    error_type: str
    message: str
    detail: str | None = None
    seq_id: int | None = None


class LettaResponse(BaseModel):
    """The whole answer to a blocking request."""

    messages: list[LettaMessage]
    stop_reason: StopReason
    usage: UsageStatistics
    logprobs: None = None
    turns: None = None


class Repaired(BaseModel):
    """What was wrong with the history. Calls and returns are named by the call's id."""

    calls_answered: list[str] = Field(description="Calls that had no return; they are told as interrupted.")
    returns_moved: list[str] = Field(description="Returns that did not stand right behind their call.")
    returns_removed: list[str] = Field(
        description="Returns of no call, or of one that had returned already; they left the context only."
    )
    calls_renamed: list[str] = Field(description="Calls whose id another call had; they got their own.")


class CompactionRequest(BaseModel):
    """How to compact; what is not named is as the agent's settings say."""

    compaction_settings: CompactionSettings | None = None


class ConversationCompactionRequest(CompactionRequest):
    """The same for a conversation."""

    agent_id: AgentId | None = Field(default=None, description="Whose default conversation is meant.")


class CompactionResponse(BaseModel):
    """The summary, and how many messages are in context, the system message among them."""

    summary: str
    num_messages_before: int
    num_messages_after: int
