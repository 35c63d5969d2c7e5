"""Every spelling of an address reaches its route, without redirects."""

import httpx
import pytest


@pytest.mark.parametrize(
    "path",
    [
        "/v1/agents",
        "/v1/agents/",
        "/latest/agents",
        "/latest/agents/",
        "/v1/agents/count",
        "/v1/agents/count/",
    ],
)
def test_the_closing_slash_and_latest_make_no_difference(http: httpx.Client, path: str) -> None:
    answer = http.get(path, follow_redirects=False)
    assert answer.status_code == 200


def test_an_unknown_route_is_not_found(http: httpx.Client) -> None:
    assert http.get("/v1/nothing/").status_code == 404


@pytest.mark.parametrize("path", ["/v1/agents/?name=a%00b", "/v1/agents/agent-%00"])
def test_a_nul_character_is_refused_with_a_sentence(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 400
    assert "NUL" in answer.json()["detail"]


def test_the_server_is_alive_and_ready_without_a_key(live: object, http: httpx.Client) -> None:
    for path in ("/v1/health/", "/v1/ready/"):
        answer = httpx.get(f"{http.base_url}{path}")
        assert answer.json()["status"] == "ok"


def test_a_wrong_field_is_named(http: httpx.Client) -> None:
    answer = http.post("/v1/agents/", json={"name": 7})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("name: ")
