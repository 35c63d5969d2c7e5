"""What a person may set about runs. Plain values; `perdure.config` reads them."""

from pydantic import BaseModel, ConfigDict, Field


class RunSettings(BaseModel):
    """Work in progress."""

    model_config = ConfigDict(extra="forbid")

    lease_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How long a run stays with a server that went silent before another may end it.",
    )
    trace: bool = Field(
        default=True,
        description="Keep the raw exchange with the provider of every step (`GET /v1/steps/{id}/trace`).",
    )
