"""The model inside: what it makes, and what becomes of its process."""

import asyncio
import contextlib
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from perdure.embeddings.base import EmbeddingUnavailable
from perdure.embeddings.offline.child import BATCH_TOKENS, batches
from perdure.embeddings.offline.model import DIMENSIONS, offline_embedder
from perdure.embeddings.offline.process import SLICE, OfflineProcess
from perdure.embeddings.settings import EmbeddingSettings


@pytest.fixture(scope="module")
async def embedder() -> AsyncIterator:
    embedder = offline_embedder(EmbeddingSettings(threads=1))
    yield embedder
    await embedder.process.close()


def numbers(vector: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(vector) // 4}f", vector)


def cosine(one: bytes, other: bytes) -> float:
    return sum(a * b for a, b in zip(numbers(one), numbers(other), strict=True))


def process_of(program: str, idle: float = 60) -> OfflineProcess:
    return OfflineProcess((sys.executable, "-c", program), idle, DIMENSIONS)


async def test_what_means_the_same_is_near(embedder):
    cat, kitten, bank = await embedder.embed(
        ["A cat sleeps on the sofa", "the kitten is napping on the couch", "interest rates of central banks"],
        "passage",
    )
    assert cosine(cat, kitten) > 0.6 > 0.2 > cosine(cat, bank)
    assert cosine(cat, cat) == pytest.approx(1, abs=1e-5)
    assert embedder.space == "offline/all-minilm-l6-v2@384"


async def test_a_text_has_the_same_vector_alone_and_among_others(embedder):
    texts = ["short", "a text of some more words than that one", "", "half a \ud800 character", "日本語"]
    together = await embedder.embed(texts, "passage")
    for text, vector in zip(texts, together, strict=True):
        [alone] = await embedder.embed([text], "query")
        assert cosine(alone, vector) > 0.99
    assert await embedder.embed([], "query") == []


async def test_the_end_of_a_long_text_is_heard(embedder):
    filler = "the weather was neither good nor bad on that day . " * 30
    told, without, question = await embedder.embed(
        [filler + "the violin is in the attic " * 20, filler, "where is the violin"], "passage"
    )
    assert cosine(told, question) > cosine(without, question) + 0.1


async def test_a_question_does_not_wait_for_all_passages(embedder):
    done = []

    async def embed(texts, purpose):
        await embedder.embed(texts, purpose)
        done.append(purpose)

    async with asyncio.TaskGroup() as group:
        group.create_task(embed([f"passage number {n} of many" for n in range(SLICE * 6)], "passage"))
        await asyncio.sleep(0)
        group.create_task(embed(["a question"], "query"))
    assert done == ["query", "passage"]


async def test_a_process_that_is_killed_is_started_again(embedder):
    [before] = await embedder.embed(["some words"], "query")
    first = embedder.process.pid
    os.kill(first, signal.SIGKILL)
    [after] = await embedder.embed(["some words"], "query")
    assert after == before
    assert embedder.process.pid != first


async def test_a_process_that_always_dies_is_told_and_tried_later():
    process = process_of("import sys; sys.stdin.buffer.read(4)")
    with pytest.raises(EmbeddingUnavailable, match="died over it 2 times") as caught:
        await process.embed(["x"], "query")
    assert caught.value.again
    await process.close()


async def test_where_no_model_is_installed_it_says_so_and_starts_no_more_processes():
    program = (
        "import sys, struct; sys.stdin.buffer.read(4); said = b'\\x01No module named onnxruntime'; "
        "sys.stdout.buffer.write(struct.pack('<I', len(said)) + said)"
    )
    process = process_of(program)
    for _ in range(2):
        with pytest.raises(EmbeddingUnavailable, match="No module named onnxruntime") as caught:
            await process.embed(["x"], "query")
        assert not caught.value.again
    assert process.pid is None
    await process.close()


async def test_an_idle_process_ends_and_comes_back():
    size = DIMENSIONS * 4 + 1
    program = (
        "import sys, struct\nwhile head := sys.stdin.buffer.read(4):\n"
        f"  sys.stdin.buffer.read(struct.unpack('<I', head)[0]); "
        f"sys.stdout.buffer.write(struct.pack('<I', {size}) + bytes({size})); sys.stdout.buffer.flush()"
    )
    process = process_of(program, idle=0.1)
    assert await process.embed(["x"], "query") == [bytes(size - 1)]
    first = process.pid
    async with asyncio.timeout(5):
        while os.path.exists(f"/proc/{first}"):  # noqa: ASYNC110, ASYNC240, PTH110 - until it is waited for
            await asyncio.sleep(0.02)
    assert process.pid is None
    assert len(await process.embed(["x"], "query")) == 1
    await process.close()
    assert process.pid is None


async def test_whoever_waits_when_the_server_stops_is_told():
    process = process_of("import time; time.sleep(60)")
    waiting = asyncio.create_task(process.embed(["x"], "query"))
    behind = asyncio.create_task(process.embed(["y"], "passage"))
    await asyncio.sleep(0.1)
    await process.close()
    for task in (waiting, behind):
        with pytest.raises(EmbeddingUnavailable, match="stops"):
            await task


async def test_who_leaves_harms_nobody(embedder):
    leaving = asyncio.create_task(embedder.embed([f"text {n}" for n in range(SLICE * 3)], "passage"))
    await asyncio.sleep(0.01)
    leaving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaving
    assert len(await embedder.embed(["still there"], "query")) == 1


def test_batches_are_bounded_by_what_they_fill():
    windows = [(at, [0] * length) for at, length in enumerate([1, 2, 100, 200, 256, 256, 256, 256, 256])]
    made = list(batches(windows))
    assert [window for batch in made for window in batch] == windows
    assert all(len(batch[-1][1]) * len(batch) <= BATCH_TOKENS for batch in made)
    assert list(batches([])) == []


async def test_the_runtime_notes_nothing_for_its_maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    embedder = offline_embedder(EmbeddingSettings(threads=1))
    await embedder.embed(["a text"], "query")
    await embedder.process.close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - a folder of the test
