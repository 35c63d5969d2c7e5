"""Finding model servers on this machine: Ollama, LM Studio, llama.cpp, vLLM, each at its usual port."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import orjson

from perdure.providers.environment import base_provider
from perdure.providers.tables import ProviderRow

CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 1.0
LARGEST_ANSWER = 1_000_000
LOOPBACK = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "host.docker.internal"}


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server worth looking for: where, what to ask, and whether the answer is its own."""

    name: str
    provider_type: str
    port: int
    path: str
    is_it: Callable[[Mapping[str, Any]], bool]


def _models_owned_by(*owners: str) -> Callable[[Mapping[str, Any]], bool]:
    """These ports have many users: only a list of models that says whose it is counts."""

    def is_it(answer: Mapping[str, Any]) -> bool:
        return any(model.get("owned_by") in owners for model in _objects(answer.get("data")))

    return is_it


LOCAL_SERVERS = (
    LocalServer(
        "ollama", "ollama", 11434, "/api/tags", lambda answer: isinstance(answer.get("models"), list)
    ),
    LocalServer(
        "lmstudio", "lmstudio_openai", 1234, "/v1/models", lambda answer: isinstance(answer.get("data"), list)
    ),
    LocalServer("llamacpp", "openai", 8080, "/v1/models", _models_owned_by("llamacpp")),
    LocalServer("vllm", "vllm", 8000, "/v1/models", _models_owned_by("vllm")),
)


async def detect(
    known: Iterable[ProviderRow] = (), servers: Iterable[LocalServer] = LOCAL_SERVERS
) -> list[ProviderRow]:
    """The local servers that answer, apart from those already `known` by name or address."""
    rows = list(known)
    names, taken = {row.name for row in rows}, {_port(row.base_url) for row in rows}
    wanted = [server for server in servers if server.name not in names and server.port not in taken]
    found = await asyncio.gather(*map(answers, wanted))
    return [as_provider(server) for server, there in zip(wanted, found, strict=True) if there]


def as_provider(server: LocalServer) -> ProviderRow:
    """The provider a detected server is offered as."""
    suffix = "" if server.provider_type == "ollama" else "/v1"
    url = f"http://127.0.0.1:{server.port}{suffix}"
    return base_provider("detected", server.name, server.provider_type, base_url=url)


async def answers(server: LocalServer) -> bool:
    """Whether this server, and not another program, listens at its port."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    except OSError:
        return False
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            # HTTP/1.0: the answer ends with the connection and is never chunked.
            writer.write(f"GET {server.path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode())
            return recognise(server, await _rest(reader))
    except OSError:
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    answer = bytearray()
    while len(answer) < LARGEST_ANSWER and (chunk := await reader.read(65536)):
        answer += chunk
    return bytes(answer)


def recognise(server: LocalServer, answer: bytes) -> bool:
    """Whether a raw HTTP answer is what this server says."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        return False
    try:
        parsed: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(parsed, dict) and server.is_it(cast("dict[str, Any]", parsed))


def _objects(value: Any) -> list[dict[str, Any]]:
    items: list[Any] = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def _port(url: str | None) -> int | None:
    """The port of a URL on this machine."""
    parts = urlsplit(url or "")
    return parts.port if parts.hostname in LOOPBACK else None
