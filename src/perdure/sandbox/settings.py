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
