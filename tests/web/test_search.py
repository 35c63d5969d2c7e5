"""Searching the web: each engine as it answers, fails, and is chosen."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.conftest import LiveServer
from tests.web.conftest import Called
from tests.web.site import Site

from perdure.tools.base import bound
from perdure.web.choice import choose
from perdure.web.engines import Exa, SearXNG
from perdure.web.settings import SearchSettings
from perdure.web.tools import TOOLS, Web

ANSWERS: dict[str, tuple[str, Any]] = {
    "exa": (
        "/search",
        {
            "results": [
                {
                    "id": "1",
                    "title": "Tides",
                    "url": "https://a.example/1",
                    "publishedDate": "2026-01-02T00:00:00.000Z",
                    "author": "Ann",
                    "highlights": ["high water"],
                    "text": "All of it.",
                    "score": 0.3,
                }
            ]
        },
    ),
    "tavily": (
        "/search",
        {
            "results": [
                {
                    "title": "Tides",
                    "url": "https://a.example/1",
                    "content": "high water",
                    "raw_content": "All of it.",
                    "score": 0.9,
                }
            ]
        },
    ),
    "brave": (
        "/res/v1/web/search",
        {
            "web": {
                "results": [
                    {
                        "title": "Tides",
                        "url": "https://a.example/1",
                        "description": "high water",
                        "page_age": "2026-01-02T00:00:00",
                        "extra_snippets": ["low water"],
                    }
                ]
            }
        },
    ),
    "searxng": (
        "/search",
        {
            "results": [
                {"title": "Tides", "url": "https://a.example/1", "content": "high water", "engine": "x"}
            ]
        },
    ),
}
RESULTS = {
    "exa": {
        "title": "Tides",
        "url": "https://a.example/1",
        "published_date": "2026-01-02T00:00:00.000Z",
        "author": "Ann",
        "highlights": ["high water"],
        "text": "All of it.",
    },
    "tavily": {
        "title": "Tides",
        "url": "https://a.example/1",
        "snippet": "high water",
        "text": "All of it.",
    },
    "brave": {
        "title": "Tides",
        "url": "https://a.example/1",
        "published_date": "2026-01-02T00:00:00",
        "snippet": "high water",
        "highlights": ["low water"],
    },
    "searxng": {"title": "Tides", "url": "https://a.example/1", "snippet": "high water"},
}
ALL = {
    "query": "tides",
    "num_results": 3,
    "category": "news",
    "include_text": True,
    "include_domains": ["a.example", "b.example"],
    "exclude_domains": ["c.example"],
    "start_published_date": "2026-01-01",
    "end_published_date": "2026-02-01T12:00:00Z",
    "user_location": "no",
}


@pytest.fixture
def engine(live: LiveServer, site: Site) -> Iterator[Any]:
    """A function that sets the server's engine, answered by the site."""
    app = live.app.state

    def use(settings: dict[str, Any] | None = None, environment: dict[str, str] | None = None) -> None:
        web = Web(app.sender.fetcher, SearchSettings.model_validate(settings or {}), environment or {})
        app.dispatcher.add(bound(TOOLS, web))

    def served(name: str) -> Site:
        use({"engine": name, "url": site.url, "api_key": "k-secret"})
        site.page(*ANSWERS[name])
        return site

    served.use = use  # type: ignore[attr-defined]
    yield served
    use()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_engine_is_asked_and_its_results_are_told(called: Called, engine, name):
    engine(name)
    status, told = called("web_search", query="tides")
    assert status == "success"
    assert (told["query"], told["results"]) == ("tides", [RESULTS[name]])
    assert "ignored" not in told


def test_what_exa_is_asked(called: Called, engine):
    site = engine("exa")
    called("web_search", **ALL)
    assert site.asked[0].headers["x-api-key"] == "k-secret"
    assert site.asked[0].json == {
        "query": "tides",
        "type": "auto",
        "numResults": 3,
        "category": "news",
        "includeDomains": ["a.example", "b.example"],
        "excludeDomains": ["c.example"],
        "startPublishedDate": "2026-01-01T00:00:00.000Z",
        "endPublishedDate": "2026-02-01T23:59:59.999Z",
        "userLocation": "NO",
        "contents": {"highlights": True, "text": {"maxCharacters": 20_000}},
    }


def test_what_tavily_is_asked(called: Called, engine):
    site = engine("tavily")
    told = called("web_search", **ALL)[1]
    assert site.asked[0].headers["authorization"] == "Bearer k-secret"
    assert site.asked[0].json == {
        "query": "tides",
        "max_results": 3,
        "topic": "news",
        "include_domains": ["a.example", "b.example"],
        "exclude_domains": ["c.example"],
        "start_date": "2026-01-01",
        "end_date": "2026-02-01",
        "include_raw_content": "markdown",
    }
    assert told["ignored"] == ["user_location"]


def test_what_brave_is_asked(called: Called, engine):
    site = engine("brave")
    site.page(
        "/res/v1/news/search", {"type": "news", "results": [{"title": "N", "url": "https://n.example"}]}
    )
    told = called("web_search", **ALL)[1]
    assert site.asked[0].headers["x-subscription-token"] == "k-secret"
    assert site.asked[0].query == {
        "q": "tides (site:a.example OR site:b.example) -site:c.example",
        "count": "3",
        "country": "NO",
        "freshness": "2026-01-01to2026-02-01",
    }
    assert told["results"] == [{"title": "N", "url": "https://n.example"}]
    assert told["ignored"] == ["include_text"]


def test_what_searxng_is_asked(called: Called, engine):
    site = engine("searxng")
    told = called("web_search", **{**ALL, "category": "github", "include_domains": []})[1]
    assert site.asked[0].query == {"q": "tides site:github.com -site:c.example", "format": "json"}
    assert told["ignored"] == [
        "include_text",
        "start_published_date",
        "end_published_date",
        "user_location",
    ]


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (401, "{}", None),
        (402, "{}", "limit is used up"),
        (429, "{}", "too many requests"),
        (500, "oops", "failed (HTTP 500)"),
        (400, '{"error": "bad  date"}', 'refused the search (HTTP 400): {"error": "bad date"}'),
        (200, "<html>", "no list of results"),
        (200, '{"results": {"a": 1}, "web": 3}', "no list of results"),
        (200, "[]", "no list of results"),
        (302, "", "HTTP 302"),
    ],
)
def test_whatever_an_engine_does_is_told_in_a_sentence(called: Called, engine, name, status, body, why):
    site = engine(name)
    site.page(ANSWERS[name][0], body, status=status, media_type="application/json")
    outcome, text = called("web_search", query="tides")
    assert outcome == "error"
    if why is None:
        why = "`search.formats` must have `json`" if name == "searxng" else "refused the key it was given"
    assert why in text
    assert "k-secret" not in text


def test_no_engine_is_an_error_that_names_the_settings(called: Called):
    status, text = called("web_search", query="tides")
    assert status == "error"
    for variable in ("EXA_API_KEY", "TAVILY_API_KEY", "BRAVE_API_KEY", "SEARXNG_URL"):
        assert variable in text


def test_an_agents_own_secrets_come_first(called: Called, engine, site: Site):
    engine.use({"engine": "exa", "url": "http://127.0.0.1:1", "api_key": "k"})
    site.page(*ANSWERS["searxng"])
    status, told = called("web_search", {"SEARXNG_URL": site.url + "/"}, query="tides")
    assert (status, told["engine"]) == ("success", "searxng")


def test_an_agents_own_address_must_be_a_public_one(called: Called):
    status, text = called("web_search", {"SEARXNG_URL": "http://10.0.0.1:8080"}, query="tides")
    assert status == "error"
    assert "not a public address" in text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"query": " "}, "query"),
        ({"query": "x", "start_published_date": "soon"}, "no day such as"),
        ({"query": "x", "user_location": "Norway"}, "two letters"),
        ({"query": "x", "category": "music"}, "must be one of"),
    ],
)
def test_what_is_wrong_with_a_search_is_told_before_it_is_made(called: Called, engine, site, arguments, why):
    engine("exa")
    status, text = called("web_search", **arguments)
    assert status == "error"
    assert why in text
    assert site.asked == []


def test_which_engine_counts():
    def chosen(settings=None, environment=None, secrets=None):
        return choose(SearchSettings.model_validate(settings or {}), environment or {}, secrets or {})

    assert chosen() is None
    assert chosen(environment={"EXA_API_KEY": " "}) is None
    found = chosen(environment={"SEARXNG_URL": "http://s/", "EXA_API_KEY": "e"})
    assert (found.engine, found.trusted) == (Exa("e"), True)
    assert chosen({"engine": "searxng"}, {"SEARXNG_URL": "http://s/", "EXA_API_KEY": "e"}).engine == SearXNG(
        "http://s"
    )
    assert chosen({"engine": "brave"}, {"EXA_API_KEY": "e"}) is None
    assert chosen({"engine": "brave"}, {"BRAVE_SEARCH_API_KEY": "b"}).engine.key == "b"
    own = chosen({"engine": "brave", "api_key": "b"}, {}, {"TAVILY_API_KEY": "t"})
    assert (own.engine.key, own.engine.name, own.trusted) == ("t", "Tavily", False)
    with pytest.raises(ValueError, match=r"need search\.engine"):
        SearchSettings.model_validate({"api_key": "x"})


def test_the_schema_is_the_contracts(client):
    (tool,) = client.tools.list(name="web_search")
    parameters = tool.json_schema["parameters"]
    assert set(parameters["properties"]) == set(ALL)
    assert parameters["required"] == ["query"]
    assert (tool.tool_type, tool.enable_parallel_execution) == ("letta_builtin", True)
    assert json.dumps(parameters).count("research paper") == 1
