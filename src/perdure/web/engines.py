"""The wire formats of four search engines: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from perdure.kit.clock import now
from perdure.web.search import Request, Search

MOST_TEXT = 20_000  # characters of a page that comes with a result
REFUSAL = "refused the key it was given"
FIRST_DAY = date(1970, 1, 1)
SITES = {
    "github": ("github.com",),
    "tweet": ("x.com", "twitter.com"),
    "linkedin profile": ("linkedin.com/in",),
}


@dataclass(frozen=True, slots=True)
class Exa:
    """https://exa.ai: searches by meaning, knows categories, brings the text of pages."""

    key: str
    url: str = "https://api.exa.ai"
    name: str = "Exa"
    refusal: str = REFUSAL

    def request(self, search: Search) -> Request:
        categories = {"linkedin profile": "people", "github": None, "pdf": None}
        told = {
            "query": search.query,
            "type": "auto",
            "numResults": min(search.count, 100),
            "category": categories.get(search.category or "", search.category),
            "includeDomains": [*search.only, *(SITES["github"] if search.category == "github" else ())],
            "excludeDomains": list(search.without),
            "startPublishedDate": search.start and f"{search.start}T00:00:00.000Z",
            "endPublishedDate": search.end and f"{search.end}T23:59:59.999Z",
            "userLocation": search.country,
        }
        contents: dict[str, Any] = {"highlights": True}
        if search.text:
            contents["text"] = {"maxCharacters": MOST_TEXT}
        return Request(f"{self.url}/search", {"x-api-key": self.key}, _given({**told, "contents": contents}))

    def results(self, answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "title": each.get("title"),
                "url": each["url"],
                "published_date": each.get("publishedDate"),
                "author": each.get("author"),
                "highlights": each.get("highlights"),
                "text": each.get("text"),
            }
            for each in answer["results"]
        ]

    def ignored(self, search: Search) -> Sequence[str]:
        return ["category"] if search.category == "pdf" else []


@dataclass(frozen=True, slots=True)
class Tavily:
    """https://tavily.com: made for agents, brings the text of pages."""

    key: str
    url: str = "https://api.tavily.com"
    name: str = "Tavily"
    refusal: str = REFUSAL

    def request(self, search: Search) -> Request:
        topics = {"news": "news", "financial report": "finance"}
        told = {
            "query": search.query,
            "max_results": min(search.count, 20),
            "topic": topics.get(search.category or ""),
            "include_domains": [*search.only, *SITES.get(search.category or "", ())],
            "exclude_domains": list(search.without),
            "start_date": search.start and str(search.start),
            "end_date": search.end and str(search.end),
            "include_raw_content": "markdown" if search.text else None,
        }
        return Request(f"{self.url}/search", {"authorization": f"Bearer {self.key}"}, _given(told))

    def results(self, answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "title": each.get("title"),
                "url": each["url"],
                "published_date": each.get("published_date"),
                "snippet": each.get("content"),
                "text": (each.get("raw_content") or "")[:MOST_TEXT],
            }
            for each in answer["results"]
        ]

    def ignored(self, search: Search) -> Sequence[str]:
        heeded = {None, "news", "financial report", *SITES}
        return _names({"category": search.category not in heeded, "user_location": search.country})


@dataclass(frozen=True, slots=True)
class Brave:
    """https://brave.com/search/api: an index of its own; domains go into the query."""

    key: str
    url: str = "https://api.search.brave.com"
    name: str = "Brave Search"
    refusal: str = REFUSAL

    def request(self, search: Search) -> Request:
        told = {
            "q": _with_sites(search),
            "count": min(search.count, 20),
            "country": search.country,
            "freshness": self._span(search.start, search.end),
        }
        kind = "news" if search.category == "news" else "web"
        headers = {
            "x-subscription-token": self.key,
            "accept": "application/json",
            "cache-control": "no-cache",
        }
        return Request(f"{self.url}/res/v1/{kind}/search?{urlencode(_given(told))}", headers)

    def _span(self, start: date | None, end: date | None) -> str | None:
        if not start and not end:
            return None
        return f"{start or FIRST_DAY}to{end or now().date()}"

    def results(self, answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        found = (
            answer["results"]
            if answer.get("type") == "news"
            else answer.get("web", {"results": []})["results"]
        )
        return [
            {
                "title": each.get("title"),
                "url": each["url"],
                "published_date": each.get("page_age"),
                "snippet": each.get("description"),
                "highlights": each.get("extra_snippets"),
            }
            for each in found
        ]

    def ignored(self, search: Search) -> Sequence[str]:
        return _names(
            {"category": search.category not in (None, "news", *SITES), "include_text": search.text}
        )


@dataclass(frozen=True, slots=True)
class SearXNG:
    """A SearXNG of one's own, which asks other engines; its `search.formats` must have `json`."""

    url: str
    name: str = "SearXNG"
    refusal: str = "does not answer in JSON: its `search.formats` must have `json`"

    def request(self, search: Search) -> Request:
        categories = {"news": "news", "research paper": "science"}
        told = {
            "q": _with_sites(search),
            "format": "json",
            "categories": categories.get(search.category or ""),
        }
        return Request(f"{self.url}/search?{urlencode(_given(told))}", {"accept": "application/json"})

    def results(self, answer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "title": each.get("title"),
                "url": each["url"],
                "published_date": each.get("publishedDate"),
                "author": each.get("author"),
                "snippet": each.get("content"),
            }
            for each in answer["results"]
        ]

    def ignored(self, search: Search) -> Sequence[str]:
        heeded = (None, "news", "research paper", *SITES)
        return _names(
            {
                "category": search.category not in heeded,
                "include_text": search.text,
                "start_published_date": search.start,
                "end_published_date": search.end,
                "user_location": search.country,
            }
        )


def _with_sites(search: Search) -> str:
    """The query with the domains in it, in the words that engines know."""
    only = [f"site:{domain}" for domain in (*search.only, *SITES.get(search.category or "", ()))]
    chosen = f"({' OR '.join(only)})" if len(only) > 1 else "".join(only)
    return " ".join(filter(None, [search.query, chosen, *(f"-site:{domain}" for domain in search.without)]))


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _names(asked: Mapping[str, object]) -> list[str]:
    """Of what is asked for, the names."""
    return [name for name, value in asked.items() if value]
