"""What a person may set about files. Plain values; `perdure.config` reads them."""

from pydantic import BaseModel, ConfigDict, Field


class FileSettings(BaseModel):
    """Files of folders: how large they may be, and how long reading one may take."""

    model_config = ConfigDict(extra="forbid")

    max_bytes: int = Field(
        default=50_000_000, gt=0, description="The largest file that may be uploaded; a larger one gets 413."
    )
    max_characters: int = Field(
        default=10_000_000,
        gt=0,
        description="The longest text that is kept of a file; one with more is not read.",
    )
    seconds: float = Field(
        default=120.0, gt=0, description="How long the reading of one file may take before it is given up."
    )
    tries: int = Field(
        default=3,
        ge=1,
        description="How often the reading of a file is begun when the server ends in the middle of it.",
    )
