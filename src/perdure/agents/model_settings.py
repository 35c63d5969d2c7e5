"""What an agent asks of its model: stored as named settings only, read as what is in force.

There is one stored truth, the handle and the settings somebody named. `llm_config`, the wire's
`model_settings` and the loop's request are all derived from it here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

DEFAULT_WINDOW = 128_000
PARALLEL_TOOL_CALLS = True
GOOGLE = ("google_ai", "google_vertex")

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What a request to the model says; null leaves it to the vendor. A thinking budget of 0 means none."""

    parallel_tool_calls: bool = PARALLEL_TOOL_CALLS
    temperature: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: str | None = None
    thinking_budget: int | None = None
    response_format: dict[str, Any] | None = None
    strict: bool = False


def merge(stored: Settings, named: Settings) -> dict[str, Any]:
    """`stored` with the settings `named` put over it; a null forgets a setting."""
    merged = {**stored, **named}
    return {name: value for name, value in merged.items() if value is not None}


def in_force(settings: Settings) -> ModelOptions:
    """What the settings amount to, whichever vendor's spelling they were given in."""
    parallel = settings.get("parallel_tool_calls")
    return ModelOptions(
        parallel_tool_calls=PARALLEL_TOOL_CALLS if parallel is None else parallel,
        temperature=settings.get("temperature"),
        max_output_tokens=settings.get("max_output_tokens"),
        reasoning_effort=part(settings, "reasoning").get("reasoning_effort") or settings.get("effort"),
        thinking_budget=_thinking_budget(settings),
        response_format=settings.get("response_format") or settings.get("response_schema"),
        strict=bool(settings.get("strict")),
    )


def part(settings: Settings, name: str) -> Settings:
    """A setting that is an object of its own, such as `reasoning`; empty if unset."""
    value: Any = settings.get(name)
    return cast("Settings", value) if isinstance(value, dict) else {}


def _thinking_budget(settings: Settings) -> int | None:
    thinking, config = part(settings, "thinking"), part(settings, "thinking_config")
    if thinking.get("type") == "disabled":
        return 0
    return thinking.get("budget_tokens") or config.get("thinking_budget")


def from_llm_config(config: Settings) -> dict[str, Any]:
    """The settings named by the old `llm_config` object; what it says of the provider is not a setting."""
    named = {
        name: config[name]
        for name in (
            "temperature",
            "parallel_tool_calls",
            "response_format",
            "verbosity",
            "effort",
            "frequency_penalty",
            "tool_call_parser",
        )
        if config.get(name) is not None
    }
    legacy = from_legacy(
        str(config.get("model_endpoint_type") or ""),
        max_tokens=config.get("max_tokens"),
        max_reasoning_tokens=config.get("max_reasoning_tokens") or None,
        reasoning=False if config.get("enable_reasoner") is False else None,
    )
    if config.get("strict"):
        named["strict"] = True
    if config.get("reasoning_effort") is not None:
        named["reasoning"] = {"reasoning_effort": config["reasoning_effort"]}
    return named | legacy


def from_legacy(
    provider_type: str,
    *,
    max_tokens: int | None = None,
    max_reasoning_tokens: int | None = None,
    reasoning: bool | None = None,
    parallel_tool_calls: bool | None = None,
    response_format: Settings | None = None,
) -> dict[str, Any]:
    """The settings that an agent's deprecated top-level fields stand for."""
    named: dict[str, Any] = {
        "max_output_tokens": max_tokens,
        "parallel_tool_calls": parallel_tool_calls,
        "response_format": response_format,
    }
    named = {name: value for name, value in named.items() if value is not None}
    if reasoning is False:
        named |= _thinking(provider_type, 0)
    elif max_reasoning_tokens is not None:
        named |= _thinking(provider_type, max_reasoning_tokens)
    return named


def _thinking(provider_type: str, budget: int) -> dict[str, Any]:
    if provider_type in GOOGLE:
        return {"thinking_config": {"include_thoughts": budget > 0, "thinking_budget": budget}}
    if budget == 0:
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def context_window(limit: int | None, model_window: int) -> int:
    """The window in force: the agent's own limit, else the model's, kept to a size that stays affordable."""
    return limit if limit is not None else min(model_window, DEFAULT_WINDOW)


FILE_LIMITS = ((8_000, 3, 5_000), (32_000, 5, 15_000), (128_000, 10, 25_000), (200_000, 10, 40_000))


def file_limits(window: int) -> tuple[int, int]:
    """How many files may be open, and how many characters of each are shown, by context window."""
    for most, files, characters in FILE_LIMITS:
        if window <= most:
            return files, characters
    return 15, 40_000
