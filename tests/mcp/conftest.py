"""Running MCP servers, and the short way to register one."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.mcp.remote import Remote, running


@pytest.fixture
def remote() -> Iterator[Remote]:
    """A server over streamable HTTP."""
    with running() as made:
        yield made


@pytest.fixture
def register(client: Any) -> Any:
    """Register a server under a name, by the official client."""

    def make(url: str, name: str = "box", kind: str = "streamable_http", **config: Any) -> Any:
        return client.mcp_servers.create(
            server_name=name, config={"mcp_server_type": kind, "server_url": url, **config}
        )

    return make


@pytest.fixture
def tools_of(client: Any) -> Any:
    """The registered tools of a server by their names."""

    def by_name(server: Any) -> dict[str, Any]:
        return {tool.name: tool for tool in client.mcp_servers.tools.list(server.id)}

    return by_name


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """The SDK's SSE server leaves streams open when it is stopped."""
    mark = pytest.mark.filterwarnings("ignore:.*MemoryObject:pytest.PytestUnraisableExceptionWarning")
    for item in items:
        if "/tests/mcp/" in str(item.path):
            item.add_marker(mark)
