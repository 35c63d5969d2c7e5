"""What a person may set about streams of messages. Plain values; `perdure.config` reads them."""

from pydantic import BaseModel, ConfigDict, Field


class StreamSettings(BaseModel):
    """Answers as server-sent events."""

    model_config = ConfigDict(extra="forbid")

    ping_seconds: float = Field(
        default=15.0, gt=0, description="Silence after which a stream that asked for pings gets one."
    )
