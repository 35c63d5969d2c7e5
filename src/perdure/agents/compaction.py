"""The compaction settings in force: what was named, over the defaults."""

from typing import Any

from perdure.agents.schemas.compaction import CompactionSettings

# A small fast model of the same vendor, for agents on these providers.
DEFAULT_MODELS = {
    "openai": "openai/gpt-5-mini",
    "anthropic": "anthropic/claude-haiku-4-5",
    "google_ai": "google_ai/gemini-2.5-flash",
}


def compaction_in_force(named: dict[str, Any], handle: str) -> CompactionSettings:
    """How the history of an agent on this model is summarised."""
    settings = CompactionSettings.model_validate(named)
    if settings.model is None:
        settings.model = DEFAULT_MODELS.get(handle.partition("/")[0], handle)
    return settings
