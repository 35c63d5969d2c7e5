"""What a person may set about sandboxes. Plain values; `perdure.config` reads them."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode


def _split(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


class EgressSettings(BaseModel):
    """What tools may reach where they were granted network at all."""

    model_config = ConfigDict(extra="forbid")

    ports: Annotated[frozenset[int], NoDecode, BeforeValidator(_split)] = Field(
        default=frozenset({80, 443}), description="The ports of other hosts that tools may connect to."
    )
    connections: int = Field(default=32, gt=0, description="Connections of one call at the same time.")
    max_bytes: int = Field(default=200_000_000, gt=0, description="The most one call may send and receive.")
    connect_seconds: float = Field(default=10.0, gt=0, description="How long connecting to a host may take.")
    idle_seconds: float = Field(default=60.0, gt=0, description="Silence after which a connection is ended.")


class EnvironmentSettings(BaseModel):
    """The packages that tools require: one folder for each set of them, kept while there is room."""

    model_config = ConfigDict(extra="forbid")

    disk_bytes: int = Field(
        default=5_000_000_000,
        gt=0,
        description="The disk that the packages of all tools may take; those not wanted for longest go.",
    )
    max_bytes: int = Field(default=1_000_000_000, gt=0, description="The most that one tool's may take.")
    seconds: float = Field(default=300.0, gt=0, description="How long installing one tool's may take.")
    builds: int = Field(default=1, gt=0, description="How many are installed at the same time.")
