"""What an agent shows of its model."""

import httpx
import pytest


@pytest.mark.parametrize(
    ("provider_type", "shown"),
    [("lmstudio_openai", "lmstudio-chatcompletions"), ("sglang", "openai"), ("anthropic", "anthropic")],
)
def test_the_older_shape_names_endpoints_in_the_older_way(http: httpx.Client, provider_type, shown):
    made = {"name": "mine", "provider_type": provider_type, "base_url": "http://127.0.0.1:9", "api_key": "k"}
    http.post("/v1/providers/", json=made).raise_for_status()
    agent = http.post("/v1/agents/", json={"model": "mine/m"}).json()
    assert agent["llm_config"]["model_endpoint_type"] == shown
    assert agent["model_settings"]["provider_type"] == provider_type
