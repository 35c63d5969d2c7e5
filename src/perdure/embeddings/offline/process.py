"""Keeps the model's process: started when it is needed, ended when it is not, started again when it dies."""

import asyncio
import contextlib
import itertools
import logging
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from perdure.embeddings.base import EmbeddingUnavailable, Purpose
from perdure.embeddings.offline.child import HEAD, VECTORS

log = logging.getLogger(__name__)

SLICE = 16  # texts sent at once: a question waits behind no more of them
TRIES = 2
SECONDS = 120.0  # for a slice: a machine under load is slow
MOST_WAITING = 1000  # questions; passages wait in whoever has them
FIRST = {"query": 0, "passage": 1}


@dataclass(order=True, slots=True)
class Job:
    """A slice of a request in line: questions first, then as they came."""

    first: int
    number: int
    texts: Sequence[str] = field(compare=False)
    answer: "asyncio.Future[list[bytes]]" = field(compare=False)


class OfflineProcess:
    """A model in a process of its own, asked from the event loop; `embed` may be called at any time."""

    def __init__(self, command: Sequence[str], idle_seconds: float, dimensions: int):
        self._command = command
        self._idle_seconds = idle_seconds
        self._size = dimensions * 4
        self._line: asyncio.PriorityQueue[Job] = asyncio.PriorityQueue()
        self._numbers = itertools.count()
        self._process: asyncio.subprocess.Process | None = None
        self._worker: asyncio.Task[None] | None = None
        self._missing: str | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process else None

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[bytes]:
        """The vectors of texts; raises `EmbeddingUnavailable`."""
        if self._line.qsize() >= MOST_WAITING:
            raise EmbeddingUnavailable("The embedding model has too much to do; try again in a moment.")
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="embedding-model")
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        slices = [order[start : start + SLICE] for start in range(0, len(order), SLICE)]
        vectors = [b""] * len(texts)
        for places in slices:  # one by one, so that of two who ask neither waits for all of the other
            job = Job(FIRST[purpose], next(self._numbers), [_sendable(texts[at]) for at in places], _future())
            self._line.put_nowait(job)
            for at, vector in zip(places, await job.answer, strict=True):
                vectors[at] = vector
        return vectors

    async def close(self) -> None:
        """End the process; whoever waits is told so."""
        if self._worker:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        while not self._line.empty():
            _tell(self._line.get_nowait(), EmbeddingUnavailable("The server stops."))
        await self._end()

    async def _work(self) -> None:
        while True:
            idle = self._idle_seconds if self._process else None
            try:
                async with asyncio.timeout(idle):
                    job = await self._line.get()
            except TimeoutError:
                await self._end()
                continue
            if not job.answer.done():
                await self._do(job)

    async def _do(self, job: Job) -> None:
        try:
            vectors = await self._tried(job.texts)
            if not job.answer.done():
                job.answer.set_result(vectors)
        except EmbeddingUnavailable as error:
            _tell(job, error)
        except asyncio.CancelledError:
            _tell(job, EmbeddingUnavailable("The server stops."))
            raise

    async def _tried(self, texts: Sequence[str]) -> list[bytes]:
        """Ask, and once more if the process dies over it."""
        for attempt in range(1, TRIES + 1):
            if self._missing:
                raise EmbeddingUnavailable(self._missing, again=False)
            try:
                async with asyncio.timeout(SECONDS):
                    return await self._ask(texts)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                code = await self._end()
                log.warning("The embedding model's process ended (%s: exit %s)", type(error).__name__, code)
                if attempt == TRIES:
                    raise EmbeddingUnavailable(
                        f"The embedding model's process died over it {TRIES} times (exit {code})."
                    ) from error
        raise AssertionError("unreachable")

    async def _ask(self, texts: Sequence[str]) -> list[bytes]:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                start_new_session=True,
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        content = orjson.dumps(list(texts))
        process.stdin.write(HEAD.pack(len(content)) + content)
        await process.stdin.drain()
        size = HEAD.unpack(await process.stdout.readexactly(HEAD.size))[0]
        told = await process.stdout.readexactly(size)
        if told[:1] != VECTORS:
            await self._end()
            self._missing = (
                f"The offline embedding model cannot be loaded ({told[1:].decode()}); "
                "install perdure anew, or set another model."
            )
            raise EmbeddingUnavailable(self._missing, again=False)
        vectors = memoryview(told)[1:]
        return [bytes(vectors[at : at + self._size]) for at in range(0, len(vectors), self._size)]

    async def _end(self) -> int | None:
        """End the process and wait for it; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await process.wait()


def _future() -> "asyncio.Future[list[bytes]]":
    return asyncio.get_running_loop().create_future()


def _sendable(text: str) -> str:
    return text.encode(errors="replace").decode()  # half a character is no UTF-8


def _tell(job: Job, error: EmbeddingUnavailable) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)
