"""`/v1/providers` and `/v1/models`, as clients see them."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from letta_client import Letta
from tests.conftest import serve

from perdure.config import Settings
from perdure.kit.ids import new_id
from perdure.testing.model_server import ModelServer
from perdure.testing.scripted import ScriptedModel

KEY = "sk-very-secret"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def configured(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server whose configuration names a provider."""
    settings = Settings.model_validate(
        {
            "home": tmp_path_factory.mktemp("home"),
            "models": {"detect": False},
            "providers": [{"name": "lab", "base_url": server.url, "api_key": KEY}],
        }
    )
    for live in serve(settings, ScriptedModel()):
        with httpx.Client(base_url=live.url, timeout=30) as plain:
            yield plain


@pytest.fixture
def other(live: Any, new_key: Callable[..., str]) -> Iterator[httpx.Client]:
    """Somebody of another organization."""
    headers = {"Authorization": f"Bearer {new_key('other')}"}
    with httpx.Client(base_url=live.url, headers=headers, timeout=30) as plain:
        yield plain


def body(server: ModelServer, name: str = "mine", **more: Any) -> dict[str, Any]:
    return {"name": name, "provider_type": "openai", "api_key": KEY, "base_url": f"{server.url}/v1", **more}


def create(http: httpx.Client, server: ModelServer, name: str = "mine", **more: Any) -> dict[str, Any]:
    answer = http.post("/v1/providers/", json=body(server, name, **more))
    assert answer.status_code == 200, answer.text
    assert KEY not in answer.text
    return answer.json()


def test_a_provider_is_made_and_its_models_can_be_used_at_once(
    http: httpx.Client, client: Letta, server: ModelServer
):
    made = create(http, server)
    assert made["id"].startswith("provider-")
    assert (made["provider_category"], made["origin"], made["last_error"]) == ("byok", "api", None)
    assert made["api_key"] is made["api_key_enc"] is made["access_key"] is made["access_key_enc"] is None
    assert made["last_synced"].endswith("Z")
    models = {model.handle: model for model in client.models.list()}
    assert set(models) == {
        "mine/scripted",
        "mine/gpt-4o-mini",
        "mine/gpt-5-mini",
        "mine/claude-haiku-4-5",
        "demo/offline",
    }
    scripted = models["mine/scripted"]
    assert (scripted.name, scripted.model, scripted.provider_name) == ("scripted", "scripted", "mine")
    assert (scripted.provider_type, scripted.provider_category) == ("openai", "byok")
    assert scripted.context_window == scripted.max_context_window == 32_768
    assert scripted.api_model_type == "llm"
    assert scripted.api_model_endpoint_type == "openai"
    assert scripted.api_model_endpoint == f"{server.url}/v1"
    inside, embedding = client.models.embeddings.list()
    assert inside.provider_name == "offline"
    assert (embedding.handle, embedding.provider_name) == ("mine/text-embedding-scripted", "mine")
    assert embedding.api_model_type == "embedding"


def test_the_demo_is_listed_as_what_it_is(client: Letta):
    (demo,) = client.models.list()
    assert demo.handle == "demo/offline"
    assert demo.display_name == "Offline demo (not a language model)"


def test_models_can_be_filtered(http: httpx.Client, client: Letta, server: ModelServer):
    create(http, server)
    byok = client.models.list(provider_category=["byok"])
    assert {model.provider_name for model in byok} == {"mine"}
    assert [model.handle for model in client.models.list(provider_category=["base"])] == ["demo/offline"]
    assert len(client.models.list(provider_category=["base", "byok"])) == 5
    assert len(http.get("/v1/models/?provider_category=base,byok").json()) == 5
    assert client.models.list(provider_name="mine", provider_type="openai") == byok
    assert client.models.list(provider_type="anthropic") == []
    assert http.get("/v1/models/?provider_category=odd").status_code == 422


def test_an_unknown_window_is_marked_as_assumed(http: httpx.Client, server: ModelServer):
    create(http, server, "tags", provider_type="anthropic", base_url=server.url)
    models = http.get("/v1/models/", params={"provider_name": "tags"}).json()
    sources = {model["name"]: model["context_window_source"] for model in models}
    assert sources["claude-haiku-4-5"] == "data"
    assert sources["scripted"] == "default"
    assert {model["context_window"] for model in models if model["name"] == "scripted"} == {128_000}


def test_what_a_model_reads_is_shown_or_null(http: httpx.Client, server: ModelServer):
    create(http, server)
    models = {model["name"]: model["modalities"] for model in http.get("/v1/models/").json()}
    assert models["gpt-4o-mini"] == ["text", "image"]
    assert models["scripted"] is None


def test_providers_can_be_listed_read_and_filtered(http: httpx.Client, server: ModelServer):
    made = [create(http, server, name) for name in ("one", "two", "three")]
    listed = http.get("/v1/providers/").json()
    assert [row["name"] for row in listed] == ["three", "two", "one"]
    assert http.get("/v1/providers/?order=asc&limit=2").json() == listed[:0:-1]
    assert [row["name"] for row in http.get("/v1/providers/?name=two").json()] == ["two"]
    assert http.get("/v1/providers/?provider_type=anthropic").json() == []
    assert http.get(f"/v1/providers/{made[0]['id']}").json() == listed[2]


def test_a_key_is_changed_by_patch_and_null_clears(http: httpx.Client, server: ModelServer):
    made = create(http, server, region="eu")
    server.clear()
    changed = http.patch(f"/v1/providers/{made['id']}", json={"api_key": "sk-new", "region": None}).json()
    assert (changed["region"], changed["base_url"]) == (None, f"{server.url}/v1")
    assert changed["updated_at"] > made["updated_at"]
    assert server.requests[0]["headers"]["authorization"] == "Bearer sk-new"


@pytest.mark.parametrize(
    ("method", "path", "change"),
    [
        ("POST", "/v1/providers/", {"extra": 1}),
        ("POST", "/v1/providers/", {"provider_type": "odd"}),
        ("POST", "/v1/providers/", {"name": "a/b"}),
        ("POST", "/v1/providers/", {"base_url": "gopher://x"}),
        ("POST", "/v1/providers/check", {"extra": 1}),
    ],
)
def test_unknown_fields_and_values_are_refused_without_repeating_the_key(
    http: httpx.Client, server: ModelServer, method: str, path: str, change: dict[str, Any]
):
    answer = http.request(method, path, json=body(server) | change)
    assert answer.status_code == 422
    assert next(iter(change)) in answer.json()["detail"]
    assert KEY not in answer.text


def test_a_provider_s_name_and_type_cannot_be_changed(http: httpx.Client, server: ModelServer):
    made = create(http, server)
    for change in ({"name": "x"}, {"provider_type": "groq"}):
        assert http.patch(f"/v1/providers/{made['id']}", json=change).status_code == 422


def test_a_taken_name_is_a_conflict_until_its_owner_is_deleted(http: httpx.Client, server: ModelServer):
    made = create(http, server)
    again = http.post("/v1/providers/", json=body(server))
    assert (again.status_code, again.headers["x-should-retry"]) == (409, "false")
    assert "'mine' exists already" in again.json()["detail"]
    assert http.delete(f"/v1/providers/{made['id']}").status_code == 200
    assert http.get(f"/v1/providers/{made['id']}").status_code == 404
    assert create(http, server)["id"] != made["id"]


def test_the_server_s_own_names_are_taken(http: httpx.Client, server: ModelServer):
    assert http.post("/v1/providers/", json=body(server, "demo")).status_code == 409


def test_another_organization_s_provider_is_not_found(
    http: httpx.Client, other: httpx.Client, server: ModelServer
):
    path = f"/v1/providers/{create(http, server)['id']}"
    for method, where in (
        ("GET", path),
        ("DELETE", path),
        ("POST", f"{path}/check"),
        ("PATCH", f"{path}/refresh"),
    ):
        assert other.request(method, where).status_code == 404
    assert other.patch(path, json={}).status_code == 404
    assert other.get("/v1/providers/").json() == []
    assert len(other.get("/v1/models/").json()) == 1
    assert http.get(f"/v1/providers/{new_id('provider')}").status_code == 404
    assert http.get("/v1/providers/provider-1").status_code == 422


def test_a_provider_that_does_not_answer_is_kept_with_its_error(http: httpx.Client, server: ModelServer):
    made = create(http, server, base_url="http://127.0.0.1:9/v1")
    assert made["last_synced"] is None
    kept = http.get(f"/v1/providers/{made['id']}").json()
    assert "mine" in kept["last_error"]
    for method, verb in (("POST", "check"), ("PATCH", "refresh")):
        answer = http.request(method, f"/v1/providers/{made['id']}/{verb}")
        assert answer.status_code == 503
        assert "mine" in answer.json()["error"]["message"]
    http.patch(f"/v1/providers/{made['id']}", json={"base_url": f"{server.url}/v1"})
    refreshed = http.patch(f"/v1/providers/{made['id']}/refresh").json()
    assert refreshed["last_error"] is None
    assert refreshed["last_synced"].endswith("Z")


def test_a_credential_can_be_checked_without_storing_it(http: httpx.Client, server: ModelServer):
    tried = {"provider_type": "openai", "api_key": KEY, "base_url": server.url}
    answer = http.post("/v1/providers/check", json=tried)
    assert answer.status_code == 200
    assert "5 models" in answer.json()["message"]
    assert http.get("/v1/providers/").json() == []
    dead = http.post("/v1/providers/check", json={**tried, "base_url": "http://127.0.0.1:9"})
    assert dead.status_code == 503
    wrong = http.post("/v1/providers/check", json={**tried, "base_url": f"{server.url}/nothing/here"})
    assert wrong.status_code >= 400
    assert KEY not in dead.text + wrong.text


def test_a_stored_provider_can_be_checked(http: httpx.Client, server: ModelServer):
    made = create(http, server)
    assert http.post(f"/v1/providers/{made['id']}/check").status_code == 200


def test_a_configured_provider_is_listed_by_itself_and_cannot_be_changed(configured: httpx.Client):
    (row,) = configured.get("/v1/providers/").json()
    assert (row["name"], row["origin"], row["provider_category"]) == ("lab", "config", "base")
    assert row["organization_id"] is None
    path = f"/v1/providers/{row['id']}"
    assert configured.post(f"{path}/check").status_code == 200
    refreshed = configured.patch(f"{path}/refresh")
    assert refreshed.json()["last_error"] is None
    assert KEY not in refreshed.text
    handles = {model["handle"] for model in configured.get("/v1/models/?provider_category=base").json()}
    assert "lab/scripted" in handles
    for answer in (configured.patch(path, json={"region": "x"}), configured.delete(path)):
        assert answer.status_code == 409
        assert "comes from the server's configuration file" in answer.json()["detail"]


def test_a_configured_provider_is_shadowed_only_knowingly(configured: httpx.Client, server: ModelServer):
    refused = configured.post("/v1/providers/", json=body(server, "lab"))
    assert refused.status_code == 409
    assert '"shadow": true' in refused.json()["detail"]
    made = create(configured, server, "lab", shadow=True)
    assert {
        model["provider_category"] for model in configured.get("/v1/models/?provider_name=lab").json()
    } == {"byok"}
    assert [row["origin"] for row in configured.get("/v1/providers/?name=lab").json()] == ["api", "config"]
    configured.delete(f"/v1/providers/{made['id']}")
    assert {
        model["provider_category"] for model in configured.get("/v1/models/?provider_name=lab").json()
    } == {"base"}
