"""Values that nothing can store or count are refused; no request with them is an error of the server."""

from typing import Any

import httpx
import pytest

HALF, NUL = '"\\ud800"', '"a\\u0000"'
FAR = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00", "9999-12-31T23:59:59.999999Z")


def ask(http: httpx.Client, method: str, path: str, body: str | None = None, **options: Any) -> None:
    content = {"content": body, "headers": {"content-type": "application/json"}} if body else {}
    answer = http.request(method, path, **content, **options)
    assert answer.status_code < 500, f"{method} {path} {body} {options}: {answer.text}"


@pytest.fixture
def ids(http: httpx.Client) -> dict[str, str]:
    block = {"label": "human", "value": "v"}
    fields = {"memory_blocks": [block], "model": "scripted/any", "enable_sleeptime": True}
    agent = http.post("/v1/agents/", json=fields).json()
    group = http.get(f"/v1/agents/{agent['id']}/groups").json()[0]["id"]
    return {"agent": agent["id"], "block": agent["memory"]["blocks"][0]["id"], "group": group}


@pytest.mark.parametrize("number", [2**31, 2**63, 10**20])
def test_numbers_that_no_column_holds(http: httpx.Client, ids: dict[str, str], number: int) -> None:
    past = f"/v1/blocks/{ids['block']}/history"
    ask(http, "GET", f"{past}/{number}")
    ask(http, "GET", f"{past}/diff", params={"from_version": number})
    ask(http, "POST", f"{past}/restore", f'{{"version": {number}}}')
    ask(http, "GET", "/v1/blocks/", params={"connected_to_agents_count_gt": number})


@pytest.mark.parametrize("far", FAR)
def test_times_that_no_year_has(http: httpx.Client, ids: dict[str, str], far: str) -> None:
    ask(http, "POST", f"/v1/blocks/{ids['block']}/history/restore", f'{{"at": "{far}"}}')
    ask(http, "GET", f"/v1/agents/{ids['agent']}/memory", params={"as_of": far})
    for field in ("start_date", "end_date"):
        ask(http, "POST", "/v1/messages/search", f'{{"query": "tea", "{field}": "{far}"}}')
        ask(http, "POST", "/v1/agents/messages/search", f'{{"{field}": "{far}"}}')


@pytest.mark.parametrize("text", [HALF, NUL])
def test_texts_that_are_none(http: httpx.Client, ids: dict[str, str], text: str) -> None:
    for field in ("agent_id", "conversation_id"):
        ask(http, "POST", "/v1/messages/search", f'{{"query": "tea", "{field}": {text}}}')
    ask(http, "POST", "/v1/passages/search", f'{{"query": "tea", "tags": [{text}]}}')
    ask(http, "POST", "/v1/passages/search", f'{{"query": {text}}}')
    ask(http, "POST", "/v1/passages/search", f'{{"query": "tea", "archive_id": {text}}}')
    ask(http, "PATCH", f"/v1/groups/{ids['group']}", f'{{"description": {text}}}')
