"""Searching tools through the official client."""
# pyright: basic

import pytest
from letta_client import BadRequestError, UnprocessableEntityError

SOURCES = (
    'def get_weather(town: str) -> str:\n    """How warm it is outside.\n\n    :param town: A city."""\n',
    'def send_mail(to: str) -> str:\n    """Write to somebody about the weather."""\n',
    'def addNumbers(a: int) -> int:\n    """Sum up."""\n',
)


@pytest.fixture
def made(client) -> dict[str, str]:
    tags = (["sky"], ["post", "sky"], [])
    tools = [client.tools.create(source_code=s, tags=t) for s, t in zip(SOURCES, tags, strict=True)]
    return {tool.name: tool.id for tool in tools}


def test_tools_are_found_by_words_of_name_description_tags_and_parameters(client, made) -> None:
    def names(query: str, **options) -> list[str]:
        found = client.tools.search(query=query, search_mode="fts", **options)
        return [each.tool.name for each in found]

    assert names("weather", tool_types=["custom"]) == ["get_weather", "send_mail"]
    assert names("the WEATHER outside", tool_types=["custom"], limit=1) == ["get_weather"]
    assert names("city") == ["get_weather"]
    assert names("numbers add", tool_types=["custom"]) == ["addNumbers"]
    assert names("post") == ["send_mail"]
    assert names("weather", tags=["post"]) == ["send_mail"]
    assert names("xyzzy") == []
    assert "core_memory_append" in names("memory append", limit=3)


def test_hits_tell_how_well_they_fit(client, made) -> None:
    first, second = client.tools.search(query="weather", tool_types=["custom"], search_mode="fts")
    assert first.tool == client.tools.retrieve(made["get_weather"])
    assert (first.fts_rank, second.fts_rank, first.vector_rank) == (1, 2, None)
    assert first.combined_score == 1 > second.combined_score > 0
    assert first.embedded_text == "get_weather\nHow warm it is outside.\nsky\ntown: A city."


def test_tools_are_found_by_what_they_mean(client, made) -> None:
    def asked(**options):
        return client.tools.search(query="temperature in Paris", tool_types=["custom"], **options)

    nearest, *_ = asked(search_mode="vector")
    assert nearest.tool.name == "get_weather"
    assert (nearest.vector_rank, nearest.fts_rank) == (1, None)
    assert asked(limit=1)[0].tool.name == "get_weather"
    both, *_ = client.tools.search(query="send a mail", tool_types=["custom"])
    assert (both.tool.name, both.fts_rank, both.vector_rank) == ("send_mail", 1, 1)


def test_without_a_query_the_filters_count(client, made) -> None:
    found = client.tools.search(tags=["sky"])
    assert [each.tool.name for each in found] == ["send_mail", "get_weather"]
    assert [each.fts_rank for each in found] == [None, None]
    assert client.tools.search(query=" ?! ", tags=["sky"], search_mode="fts") == []
    with pytest.raises(BadRequestError, match="there is no tool type other"):
        client.tools.search(query="a", tool_types=["other"])
    for wrong in ({"limit": 0}, {"limit": 101}, {"extra_body": {"more": 1}}):
        with pytest.raises(UnprocessableEntityError):
            client.tools.search(query="a", **wrong)
