"""What a person may set about the database. Plain values; `perdure.config` reads them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class DatabaseSettings(BaseModel):
    """Where everything is kept."""

    model_config = ConfigDict(extra="forbid")

    url: SecretStr | None = Field(
        default=None,
        description="`sqlite:///path` or `postgresql://user:password@host/name`. Without it: the file "
        "`perdure.db` in the home.",
    )
    pool_size: int = Field(
        default=10, ge=1, le=500, description="Postgres: connections kept open by one server."
    )
    readers: int = Field(
        default=4, ge=1, le=64, description="SQLite: threads that read beside the writing one."
    )
    synchronous: Literal["normal", "full"] = Field(
        default="normal",
        description="SQLite: `full` waits for the disk at every commit; `normal` survives a killed process "
        "all the same, but a power cut may take the last moments.",
    )
    upgrade: bool = Field(default=True, description="Bring the tables up to date when the server starts.")
    backups: int = Field(
        default=5, ge=0, description="SQLite: copies kept of the file from before upgrades; 0 makes none."
    )
