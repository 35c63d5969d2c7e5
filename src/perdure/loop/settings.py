"""What a person may set about the loop. Plain values; `perdure.config` reads them."""

from pydantic import BaseModel, ConfigDict, Field


class SummarySettings(BaseModel):
    """Summaries, which take the place of messages that no longer fit the context window."""

    model_config = ConfigDict(extra="forbid")

    seconds: float = Field(
        default=180.0,
        gt=0,
        description="How long a model may take to write one. Then the messages leave the window with a "
        "makeshift summary that says so.",
    )
