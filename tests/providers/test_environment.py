"""Providers found in the environment and the configuration file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from perdure.config import Settings
from perdure.kit.errors import InvalidArgument
from perdure.kit.ids import is_id
from perdure.providers.environment import KNOWN, providers_from
from perdure.providers.settings import ProviderSettings


def names(env, configured=()):
    return [row.name for row in providers_from(env, configured)]


def test_an_empty_environment_has_no_providers():
    assert providers_from({}) == []


@pytest.mark.parametrize(
    "vendor", [known for known in KNOWN if not known.keyless], ids=lambda known: known.name
)
def test_a_key_reveals_its_vendor(vendor):
    (row,) = providers_from({f"{vendor.variables[0]}_API_KEY": " secret "})
    assert (row.name, row.origin, row.category, row.api_key) == (vendor.name, "environment", "base", "secret")
    assert row.organization_id is None


def test_a_local_server_needs_only_its_address_in_any_spelling():
    rows = providers_from({"OLLAMA_BASE_URL": "localhost:11434/", "VLLM_API_BASE": "http://gpu:8000/v1"})
    assert [(row.name, row.base_url) for row in rows] == [
        ("ollama", "http://localhost:11434"),
        ("vllm", "http://gpu:8000/v1"),
    ]


def test_an_address_alone_does_not_reveal_a_vendor_that_wants_a_key():
    assert names({"ANTHROPIC_BASE_URL": "http://proxy"}) == []


def test_an_openai_compatible_server_without_a_key_is_a_provider():
    (row,) = providers_from({"OPENAI_BASE_URL": "http://localhost:9000/v1"})
    assert (row.name, row.base_url, row.api_key) == ("openai", "http://localhost:9000/v1", None)


def test_empty_variables_count_as_unset():
    assert names({"OPENAI_API_KEY": "  ", "OLLAMA_BASE_URL": ""}) == []


def test_bedrock_takes_its_own_key_or_an_aws_credential_with_a_region():
    assert names({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}) == []
    (row,) = providers_from(
        {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    )
    assert (row.access_key, row.api_key, row.region) == ("a", "b", "eu-west-1")
    (row,) = providers_from({"BEDROCK_API_KEY": "t", "BEDROCK_REGION": "us-east-1"})
    assert (row.access_key, row.api_key, row.region) == (None, "t", "us-east-1")


def test_configured_servers_come_first_and_win_their_name():
    configured = [
        ProviderSettings(name="lab", base_url="http://lab:8000/v1", api_key=SecretStr("k")),
        ProviderSettings(name="groq", base_url="http://my-groq"),
    ]
    rows = providers_from({"GROQ_API_KEY": "x", "XAI_API_KEY": "y"}, configured)
    assert [(row.name, row.origin) for row in rows] == [
        ("lab", "config"),
        ("groq", "config"),
        ("xai", "environment"),
    ]
    assert rows[0].provider_type == "openai"


def test_ids_are_well_formed_and_the_same_after_a_restart():
    first, again = providers_from({"OPENAI_API_KEY": "a"}), providers_from({"OPENAI_API_KEY": "b"})
    assert first[0].id == again[0].id
    assert is_id("provider", first[0].id)


def test_a_key_is_never_in_a_provider_s_repr():
    (row,) = providers_from({"OPENAI_API_KEY": "sk-secret"})
    assert "sk-secret" not in repr(row)


@pytest.mark.parametrize("name", ["", "a/b", " ", "/"])
def test_a_name_that_no_handle_could_hold_is_refused(name):
    with pytest.raises(ValidationError):
        ProviderSettings(name=name)


def test_an_address_without_a_scheme_is_refused_in_the_file():
    with pytest.raises(ValidationError, match="must start with http"):
        ProviderSettings(name="lab", base_url="ftp://lab")


def test_an_address_that_is_none_names_its_variable():
    with pytest.raises(InvalidArgument, match="OLLAMA_BASE_URL: base_url must start with http"):
        providers_from({"OLLAMA_BASE_URL": "ftp://box"})


@given(
    st.dictionaries(
        st.sampled_from([f"{k.variables[0]}_{s}" for k in KNOWN for s in ("API_KEY", "BASE_URL")]), st.text()
    )
)
def test_any_environment_gives_providers_with_distinct_names(env):
    try:
        found = names(env)
    except InvalidArgument:
        return
    assert len(found) == len(set(found))


def test_a_gguf_file_is_served_as_the_provider_local() -> None:
    settings = Settings.model_validate({"models": {"gguf": "/models/small.gguf"}})
    (row,) = providers_from({}, settings.all_providers)
    assert (row.name, row.provider_type, row.base_url) == ("local", "local", "/models/small.gguf")


def test_a_local_provider_without_a_file_says_what_is_missing() -> None:
    with pytest.raises(ValidationError, match="path of a GGUF file"):
        ProviderSettings(name="mine", type="local")
