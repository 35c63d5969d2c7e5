"""One stored truth: named settings, from any spelling, and what is in force."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.agents.model_settings import (
    context_window,
    file_limits,
    from_legacy,
    from_llm_config,
    in_force,
    merge,
)

VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
SETTINGS = st.dictionaries(st.sampled_from(["temperature", "strict", "a", "b", "c"]), VALUES)


@given(SETTINGS, SETTINGS)
def test_a_merge_changes_only_what_is_named(stored, named):
    merged = merge(stored, named)
    for name, value in stored.items():
        if name not in named and value is not None:
            assert merged[name] == value
    assert all(merged.get(name) == value for name, value in named.items())
    assert None not in merged.values()


def test_nothing_named_leaves_everything_to_the_vendor_but_parallel_calls():
    options = in_force({})
    assert options.parallel_tool_calls
    assert options.temperature is options.max_output_tokens is options.thinking_budget is None


def test_thinking_is_read_in_every_vendors_spelling():
    assert in_force({"thinking": {"type": "enabled", "budget_tokens": 2048}}).thinking_budget == 2048
    assert in_force({"thinking": {"type": "disabled", "budget_tokens": 2048}}).thinking_budget == 0
    assert in_force({"thinking_config": {"thinking_budget": 512}}).thinking_budget == 512
    assert in_force({"thinking_config": {"thinking_budget": 0}}).thinking_budget == 0
    assert in_force({"reasoning": {"reasoning_effort": "low"}}).reasoning_effort == "low"
    assert in_force({"effort": "high"}).reasoning_effort == "high"


def test_google_names_its_response_format_differently():
    assert in_force({"response_schema": {"type": "json_object"}}).response_format == {"type": "json_object"}


def test_deprecated_fields_become_settings():
    assert from_legacy("openai", max_tokens=100, parallel_tool_calls=False) == {
        "max_output_tokens": 100,
        "parallel_tool_calls": False,
    }
    assert in_force(from_legacy("anthropic", max_reasoning_tokens=1024)).thinking_budget == 1024
    assert in_force(from_legacy("google_ai", max_reasoning_tokens=1024)).thinking_budget == 1024
    assert in_force(from_legacy("google_ai", reasoning=False)).thinking_budget == 0
    assert in_force(from_legacy("anthropic", reasoning=False)).thinking_budget == 0


def test_an_llm_config_object_is_read_for_its_settings_only():
    config = {
        "model": "gpt-4o",
        "model_endpoint_type": "openai",
        "model_endpoint": "https://example.org",
        "context_window": 1,
        "temperature": 0.2,
        "max_tokens": 64,
        "enable_reasoner": True,
        "max_reasoning_tokens": 0,
        "reasoning_effort": "low",
    }
    assert from_llm_config(config) == {
        "temperature": 0.2,
        "max_output_tokens": 64,
        "reasoning": {"reasoning_effort": "low"},
    }


def test_the_window_is_the_agents_limit_or_the_models_within_reason():
    assert context_window(None, 1_000_000) == 128_000
    assert context_window(None, 8_192) == 8_192
    assert context_window(500_000, 8_192) == 500_000


def test_file_limits_grow_with_the_window():
    assert file_limits(8_000) == (3, 5_000)
    assert file_limits(128_000) == (10, 25_000)
    assert file_limits(1_000_000) == (15, 40_000)
