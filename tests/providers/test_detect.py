"""Local model servers are found by what they answer, not by an open port."""

import asyncio
import json
import time

import pytest

from perdure.providers.detect import LOCAL_SERVERS, LocalServer, as_provider, detect, recognise
from perdure.providers.environment import base_provider

BY_NAME = {server.name: server for server in LOCAL_SERVERS}


def answer(body: object, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\r\n{json.dumps(body)}".encode()


@pytest.mark.parametrize(
    ("name", "body", "it_is"),
    [
        ("ollama", {"models": []}, True),
        ("ollama", {"data": []}, False),
        ("lmstudio", {"object": "list", "data": []}, True),
        ("llamacpp", {"data": [{"id": "x", "owned_by": "llamacpp"}]}, True),
        ("llamacpp", {"data": [{"id": "x", "owned_by": "someone"}]}, False),
        ("vllm", {"data": [{"id": "x", "owned_by": "vllm"}]}, True),
        ("vllm", {"data": "odd"}, False),
        ("vllm", ["odd"], False),
    ],
)
def test_a_server_is_known_by_its_answer(name, body, it_is):
    assert recognise(BY_NAME[name], answer(body)) is it_is


@pytest.mark.parametrize(
    "raw", [b"", b"SSH-2.0", b"HTTP/1.1 200 OK\r\n\r\n<html>", answer({"models": []}, "404 No")]
)
def test_other_programs_are_not_mistaken_for_one(raw):
    assert not recognise(BY_NAME["ollama"], raw)


async def serve(raw: bytes, delay: float = 0.0) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(delay)
        writer.write(raw)
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


def at(server: asyncio.Server) -> LocalServer:
    known = BY_NAME["ollama"]
    return LocalServer(
        known.name, known.provider_type, server.sockets[0].getsockname()[1], known.path, known.is_it
    )


async def test_a_running_server_becomes_a_provider():
    async with await serve(answer({"models": []})) as server:
        here = at(server)
        (row,) = await detect(servers=[here])
    assert (row.name, row.provider_type, row.origin, row.category) == ("ollama", "ollama", "detected", "base")
    assert row.base_url == f"http://127.0.0.1:{here.port}"


async def test_a_silent_server_does_not_hold_the_others_up():
    async with await serve(b"", delay=30) as silent, await serve(answer({"models": []})) as server:
        begun = time.monotonic()
        found = await detect(servers=[at(silent), at(server)])
        assert time.monotonic() - begun < 3
        assert len(found) == 1


async def test_a_closed_port_is_nothing():
    async with await serve(b"") as server:
        gone = at(server)
    assert await detect(servers=[gone]) == []


async def test_what_is_configured_already_is_not_found_again():
    async with await serve(answer({"models": []})) as server:
        same_name = base_provider("config", "ollama", "ollama", base_url="http://elsewhere:1")
        same_place = base_provider(
            "config", "mine", "ollama", base_url=f"http://localhost:{at(server).port}/v1"
        )
        assert await detect([same_name], [at(server)]) == []
        assert await detect([same_place], [at(server)]) == []


def test_detected_servers_have_ids_that_last():
    assert len({as_provider(server).id for server in LOCAL_SERVERS}) == len(LOCAL_SERVERS)
    assert as_provider(BY_NAME["vllm"]) == as_provider(BY_NAME["vllm"])
