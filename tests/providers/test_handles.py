"""Handles: read at the first slash, matched with what a vendor serves, guessed when wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.kit.errors import InvalidArgument
from perdure.providers.handles import (
    UnknownModel,
    is_official_openai,
    listed_name,
    nearest,
    proxy_name,
    split_handle,
    unknown_model,
)


@pytest.mark.parametrize(
    ("handle", "parts"),
    [
        ("openai/gpt-5-mini", ("openai", "gpt-5-mini")),
        ("openrouter/x-ai/grok-4", ("openrouter", "x-ai/grok-4")),
        ("my server/a/b/c:free", ("my server", "a/b/c:free")),
        ("vllm//models/llama", ("vllm", "/models/llama")),
    ],
)
def test_a_handle_is_split_at_its_first_slash(handle, parts):
    assert split_handle(handle) == parts


@pytest.mark.parametrize("handle", ["gpt-5-mini", "", "/model", "provider/"])
def test_a_handle_without_both_parts_is_refused_with_an_example(handle):
    with pytest.raises(InvalidArgument, match=r"INVALID_ARGUMENT: .*<provider name>/<model>") as caught:
        split_handle(handle)
    assert caught.value.status == 400


@given(st.text(min_size=1).filter(lambda text: "/" not in text), st.text(min_size=1))
def test_any_provider_name_and_model_can_be_told_apart_again(provider, model):
    assert split_handle(f"{provider}/{model}") == (provider, model)


@pytest.mark.parametrize(
    ("url", "official"),
    [
        (None, True),
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://api.openai.com.evil.example/v1", False),
        ("http://localhost:8080/v1", False),
    ],
)
def test_openai_is_told_from_servers_that_speak_like_it(url, official):
    assert is_official_openai(url) is official


def test_the_proxy_alias_means_the_only_candidate():
    assert proxy_name(["mine"], "gpt") == "mine"


def test_the_proxy_alias_names_all_candidates_when_there_are_several():
    with pytest.raises(InvalidArgument, match="a/gpt, b/gpt"):
        proxy_name(["b", "a"], "gpt")


def test_the_proxy_alias_is_unknown_without_a_candidate():
    with pytest.raises(UnknownModel):
        proxy_name([], "gpt")


@pytest.mark.parametrize(
    ("model", "provider_type", "listed", "served"),
    [
        ("gpt-5", "openai", ["gpt-5"], "gpt-5"),
        ("gpt-6", "openai", ["gpt-5"], None),
        ("gpt-4o-mini-jul", "openai", ["gpt-4o-mini-2024-07-18"], "gpt-4o-mini-2024-07-18"),
        ("gpt-4o-mini", "openai", ["gpt-4o-mini-2024-07-18"], "gpt-4o-mini"),
        ("claude-3-5-sonnet", "anthropic", ["claude-opus-4-1-20250805"], "claude-3-5-sonnet-20241022"),
        ("claude-sonnet-4-5", "anthropic", ["claude-sonnet-4-5-20250929"], "claude-sonnet-4-5"),
        ("claude-3-5-haiku-latest", "anthropic", ["claude-3-5-haiku-20241022"], "claude-3-5-haiku-latest"),
        ("claude-sonnet-4", "anthropic", ["claude-sonnet-4-5-20250929"], None),
        ("llama3", "ollama", ["llama3:latest"], "llama3:latest"),
        ("llama3", "ollama", ["llama3:8b"], None),
        ("llama3:70b", "ollama", ["llama3:8b"], None),
        ("x-ai/grok-4:online", "openrouter", ["x-ai/grok-4"], "x-ai/grok-4:online"),
        ("ft:gpt-4o:me:1", "openai", ["gpt-4o"], "ft:gpt-4o:me:1"),
        ("my-deployment", "azure", ["gpt-5"], "my-deployment"),
    ],
)
def test_a_vendor_serves_what_it_lists_and_the_other_names_of_it(model, provider_type, listed, served):
    assert listed_name(model, provider_type, listed) == served


def test_the_same_model_elsewhere_is_nearest_then_similar_names():
    known = ["openrouter/gpt-5-mini", "openai/gpt-5-nano", "anthropic/claude-opus-4-1"]
    assert nearest("opnai/gpt-5-mini", known)[0] == "openrouter/gpt-5-mini"
    assert "openai/gpt-5-nano" in nearest("openai/gpt-5-nono", known)
    assert nearest("zzz/qqq", known) == []


def test_an_unknown_model_is_a_404_that_names_its_neighbours():
    error = unknown_model("openai/gpt-5-mni", ["openai/gpt-5-mini"], "openai does not serve it")
    assert error.status == 404
    assert error.detail.startswith("NOT_FOUND: model openai/gpt-5-mni: openai does not serve it.")
    assert "Nearest: openai/gpt-5-mini." in error.detail
