"""What a person may set about runs. Plain values; `perdure.config` reads them."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field


class RunSettings(BaseModel):
    """Work in progress."""

    model_config = ConfigDict(extra="forbid")

    lease_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How long a run stays with a server that went silent before another goes on with it.",
    )
    queue_limit: int = Field(
        default=100,
        ge=1,
        description="How many messages may wait for one conversation while another one is worked on.",
    )
    trace: bool = Field(
        default=True,
        description="Keep the raw exchange with the provider of every step (`GET /v1/steps/{id}/trace`).",
    )
    callback_tries: int = Field(
        default=6, ge=1, description="How often a run's `callback_url` is called until it takes the news."
    )
    callback_pause_seconds: float = Field(
        default=5.0,
        gt=0,
        description="The pause before a callback's second try; each further pause is five times as long.",
    )
    approval_hours: float | None = Field(
        default=None,
        gt=0,
        description="How long calls wait for approval. Then they count as denied, and the next message is "
        "taken. Unset, they wait for ever.",
    )
    frames_hours: float = Field(
        default=24.0,
        gt=0,
        description="How long after its end the stream of a background run can be read again "
        "(`POST /v1/runs/{id}/stream`).",
    )

    @property
    def approval_limit(self) -> timedelta | None:
        """How long calls wait for approval, if not for ever."""
        return timedelta(hours=self.approval_hours) if self.approval_hours else None
