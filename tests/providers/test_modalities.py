"""What a model reads: from settings, the provider, its family, in that order; else nobody tells."""

import pytest
from pydantic import ValidationError

from perdure.providers.endpoint import ListedModel
from perdure.providers.entries import entry_of
from perdure.providers.environment import base_provider
from perdure.providers.modalities import EVERYTHING, IMAGES, TEXT, of_family
from perdure.providers.settings import CatalogSettings, ModelOverride
from perdure.providers.vendors import listing

OPENAI = base_provider("environment", "openai", "openai")


@pytest.mark.parametrize(
    ("provider_type", "model", "read"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", IMAGES),
        ("openai", "chatgpt-4o-latest", IMAGES),
        ("openai", "ft:gpt-4.1-nano:me::x", IMAGES),
        ("openai", "gpt-5.2-codex", IMAGES),
        ("openai", "o3", IMAGES),
        ("openai", "o4-mini", IMAGES),
        ("openai", "o3-mini", TEXT),
        ("openai", "gpt-4", TEXT),
        ("openai", "gpt-3.5-turbo", TEXT),
        ("openai", "gpt-4o-audio-preview", None),
        ("openai", "gpt-oss-120b", None),
        ("openai", "qwen3", None),
        ("azure", "gpt-5-mini", IMAGES),
        ("anthropic", "claude-sonnet-4-5-20250929", IMAGES),
        ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", IMAGES),
        ("anthropic", "claude-2.1", TEXT),
        ("google_ai", "gemini-2.5-flash", EVERYTHING),
        ("google_ai", "gemma-3-27b-it", None),
        ("openrouter", "openai/gpt-4o", IMAGES),
        ("ollama", "claude-like", None),
    ],
)
def test_the_families_of_well_known_vendors(provider_type, model, read):
    assert of_family(provider_type, model) == read


def test_a_setting_comes_before_the_provider_before_the_family_before_nothing():
    override = CatalogSettings(overrides={"openai/gpt-4o": ModelOverride(modalities=("text", "audio"))})
    told = ListedModel("gpt-4o", input_modalities=("text", "file"))
    assert entry_of(OPENAI, told, override).modalities == ("text", "audio")
    assert entry_of(OPENAI, told, CatalogSettings()).modalities == ("text", "file")
    assert entry_of(OPENAI, ListedModel("gpt-4o"), CatalogSettings()).modalities == IMAGES
    assert entry_of(OPENAI, ListedModel("mystery"), CatalogSettings()).modalities is None


@pytest.mark.parametrize("wrong", [["smell"], []])
def test_a_setting_names_kinds_that_there_are(wrong):
    with pytest.raises(ValidationError, match="modalities"):
        ModelOverride.model_validate({"modalities": wrong})


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ({"architecture": {"input_modalities": ["text", "image", "file"]}}, ("text", "image", "file")),
        ({"architecture": {"input_modalities": []}}, None),
        ({"architecture": "llama"}, None),
        ({"capabilities": {"completion_chat": True, "vision": True}}, IMAGES),
        ({"capabilities": {"vision": False}}, TEXT),
        ({"capabilities": ["completion"]}, None),
        ({"supports_image_input": False}, TEXT),
        ({}, None),
    ],
)
def test_compatible_servers_tell_in_ways_of_their_own(row, read):
    (model,) = listing.read_compatible({"data": [{"id": "m", **row}]})
    assert model.input_modalities == read


@pytest.mark.parametrize(
    ("able", "read"), [(["completion", "vision"], IMAGES), (["completion"], TEXT), (None, None)]
)
def test_ollama_tells_which_models_see(able, read):
    assert listing.read_ollama("m", {"capabilities": able}).input_modalities == read


def test_lm_studio_tells_which_models_see():
    rows = [{"id": kind, "type": kind} for kind in ("vlm", "llm", "embeddings", "other")]
    read = {model.name: model.input_modalities for model in listing.read_lmstudio({"data": rows})}
    assert read == {"vlm": IMAGES, "llm": TEXT, "embeddings": None, "other": None}


def test_anthropic_tells_which_models_see():
    able = {"image_input": {"supported": True}, "pdf_input": {"supported": True}}
    rows = [{"id": "claude-a", "capabilities": able, "max_tokens": 5}, {"id": "claude-b"}]
    assert listing.read_anthropic({"data": rows}) == [
        ListedModel("claude-a", "llm", None, 5, input_modalities=IMAGES),
        ListedModel("claude-b"),
    ]
