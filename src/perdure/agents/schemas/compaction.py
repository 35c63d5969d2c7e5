"""How an agent's history is summarised when it outgrows the context window."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from perdure.agents.schemas.model_settings import ModelSettings
from perdure.kit.text import storable


class CompactionSettings(BaseModel):
    """Stored as named; the defaults here are what is in force otherwise."""

    model_config = ConfigDict(defer_build=True, protected_namespaces=())

    model: str | None = None
    model_settings: ModelSettings | None = None
    prompt: str | None = None
    prompt_acknowledgement: bool = Field(
        False, description="Let the summariser seem to have agreed to answer with a summary only."
    )
    clip_chars: int | None = Field(50_000, ge=0, description="The most characters of a summary.")
    mode: Literal["all", "sliding_window", "self_compact_all", "self_compact_sliding_window"] = (
        "sliding_window"
    )
    sliding_window_percentage: float = Field(
        0.3, gt=0, lt=1, description="The part of the context window that is free afterwards, at least."
    )
    save_to_memory_first: bool = Field(
        True,
        description="Before messages leave the view within a turn, the agent is told so and may save what "
        "matters, if it has tools that write memory.",
    )

    def named(self) -> dict[str, Any]:
        """Only what the client named, as plain values."""
        return storable(self.model_dump(exclude_unset=True))
