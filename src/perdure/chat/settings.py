"""What a person may set about streams of messages. Plain values; `perdure.config` reads them."""

from pydantic import BaseModel, ConfigDict, Field


class StreamSettings(BaseModel):
    """Answers as server-sent events."""

    model_config = ConfigDict(extra="forbid")

    ping_seconds: float = Field(
        default=15.0, gt=0, description="Silence after which a stream that asked for pings gets one."
    )


class MultiagentSettings(BaseModel):
    """Agents that send messages to one another."""

    model_config = ConfigDict(extra="forbid")

    reply_seconds: float = Field(
        default=600.0,
        gt=0,
        description="How long an agent waits for another one's answer, its time in line included.",
    )
    at_once: int = Field(
        default=8, ge=1, description="How many agents one call that names tags asks at the same time."
    )
    most_recipients: int = Field(
        default=100, ge=1, description="How many agents one call that names tags may reach."
    )
    hop_limit: int = Field(
        default=20,
        ge=1,
        description="How often a message may cause another one from agent to agent: two that answer each "
        "other without an end are stopped by it.",
    )


class SleeptimeSettings(BaseModel):
    """Agents that look after the memory of others (`enable_sleeptime`)."""

    model_config = ConfigDict(extra="forbid")

    transcript_tokens: int = Field(
        default=8000,
        ge=200,
        description="The most tokens of what was said that one look is shown; the newest count.",
    )
    max_steps: int = Field(default=12, ge=1, description="How many calls of its model one look may take.")
