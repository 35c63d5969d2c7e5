"""Reads files in the background: takes one from the queue, makes text of it, and passages of the text."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from itertools import islice
from typing import Protocol

from sqlalchemy import Connection

from perdure.db import Database
from perdure.documents.read import DOCX, Documents, Unreadable
from perdure.files import folders, queue, store
from perdure.files.chunks import Chunk, chunks
from perdure.files.folders import FolderNotFound
from perdure.files.kinds import PDF, misfit, syntax_of
from perdure.files.queue import FileLost, Holder
from perdure.files.settings import FileSettings
from perdure.files.store import FileRow
from perdure.files.views import lines_of
from perdure.kit.repeat import repeat
from perdure.kit.text import storable
from perdure.passages import store as passages
from perdure.passages.of_files import remove_of_file
from perdure.passages.store import NewPassage, Place
from perdure.tenancy.actor import DEFAULT_USER, Actor

log = logging.getLogger(__name__)

AT_ONCE = 2
LOOK_SECONDS = 5.0  # how often other servers' uploads, and what they left, are looked for
BATCH = 64  # passages in one transaction
NICENESS = 10
KEPT = timedelta(hours=1)  # an upload that lasts longer has ended without a word
READERS = {PDF, DOCX, "text/html", "application/xhtml+xml"}


class VectorSpaces(Protocol):
    """Which space the vectors of passages are in, and who makes them."""

    async def space(self, actor: Actor, handle: str | None) -> str | None:
        """The space of a model's vectors; null where there are none."""
        ...

    @property
    def wake(self) -> Callable[[], None]:
        """Tells that there are new passages."""
        ...


class Parser:
    """The part of a server that reads what was uploaded, whichever server took it."""

    def __init__(self, db: Database, holder: Holder, settings: FileSettings, embedding: VectorSpaces):
        self._db = db
        self._holder = holder
        self._settings = settings
        self._embedding = embedding
        self._documents = Documents(settings.seconds, settings.max_bytes, settings.max_characters, NICENESS)
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Go on with what an earlier life of this server left, then read what comes."""
        instance = self._holder.owner.partition(":")[0]
        await self._db.write(queue.release_earlier, self._holder, f"{instance}:")
        self._tasks = [asyncio.create_task(self._work(), name=f"parser-{n}") for n in range(AT_ONCE)]
        chores = (
            (KEPT.total_seconds(), self._tidy, "lost uploads stay"),
            (LOOK_SECONDS, self._complete, "files are not seen to be embedded"),
        )
        self._tasks += [asyncio.create_task(repeat(*chore)) for chore in chores]

    async def close(self) -> None:
        """Stop; what is being read now is begun anew by whoever comes next, and counts as no try."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._db.write(queue.release, self._holder)

    def wake(self) -> None:
        """There is a new file."""
        self._news.set()

    async def _tidy(self) -> None:
        await self._db.write(store.remove_lost_pieces, KEPT)

    async def _complete(self) -> None:
        """Note which files have all their vectors by now."""
        if await self._db.read(queue.embedding):
            await self._db.write(queue.complete)

    async def _work(self) -> None:
        while True:
            self._news.clear()
            try:
                while file := await self._db.write(queue.claim, self._holder):
                    await self._read(file)
            except Exception:
                log.warning("a file could not be read now; trying again", exc_info=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), LOOK_SECONDS)

    async def _read(self, file: FileRow) -> None:
        """Read one file to its end, good or bad."""
        try:
            async with self._holding(file):
                if file.tries > self._settings.tries:
                    raise Unreadable(
                        f"It could not be read: the server ended {file.tries - 1} times in the middle of it."
                    )
                await self._to_passages(file, await self._text(file))
        except Unreadable as error:
            with contextlib.suppress(FileLost):
                await self._db.write(queue.fail, self._holder, file.id, error.detail)
        except (FileLost, FolderNotFound):
            log.info("a file was deleted or taken over while it was read", extra={"file": file.id})

    @contextlib.asynccontextmanager
    async def _holding(self, file: FileRow) -> AsyncGenerator[None, None]:
        """Renew the lease of a file as long as it is worked on."""

        async def renew() -> None:
            with contextlib.suppress(FileLost):
                await self._db.write(queue.keep, self._holder, file.id)

        task = asyncio.create_task(repeat(self._holder.seconds / 3, renew, "a file's lease is not renewed"))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _text(self, file: FileRow) -> str:
        """What the file says; raises `Unreadable`."""
        content = await self._db.read(store.content_of, file.id)
        if why := misfit(file.media_type, content[:4096]):
            raise Unreadable(f"It could not be read: {why}.")
        kind = file.media_type if file.media_type in READERS else "text/plain"
        document = await self._documents.read(content, kind, file.charset or "")
        if len(document.text) > self._settings.max_characters:
            raise Unreadable(
                f"It could not be read: its text has more than {self._settings.max_characters} characters."
            )
        return await asyncio.to_thread(_plain, document.text)

    async def _to_passages(self, file: FileRow, text: str) -> None:
        actor = Actor(file.organization_id, file.created_by_id or DEFAULT_USER)
        folder = await self._db.read(folders.get, actor, file.folder_id)
        space = await self._embedding.space(actor, folder.embedding)
        await self._db.write(_begin, self._holder, file, text)
        found, count = chunks(text, syntax_of(file.name, file.media_type), folder.chunk_size), 0
        while batch := list(islice(found, BATCH)):
            await self._db.write(_add, self._holder, actor, file, batch, space)
            count += len(batch)
        done = {
            "status": "embedding" if space and count else "completed",
            "characters": len(text),
            "lines": len(lines_of(text)),
            "chunks": count,
            "error_message": None,
        }
        await self._db.write(queue.end, self._holder, file.id, done)
        self._embedding.wake()


def _plain(text: str) -> str:
    """A text with line ends of one kind, that a database can hold."""
    return storable(text.replace("\r\n", "\n").replace("\r", "\n"))


def _begin(conn: Connection, holder: Holder, file: FileRow, text: str) -> None:
    queue.save_text(conn, holder, file.id, text)
    remove_of_file(conn, file.id)


def _add(
    conn: Connection, holder: Holder, actor: Actor, file: FileRow, batch: list[Chunk], space: str | None
) -> None:
    queue.keep(conn, holder, file.id)
    place = Place(source_id=file.folder_id, file_id=file.id, space=space)
    items = [
        NewPassage(each.whole, metadata={"first_line": each.first_line, "last_line": each.last_line})
        for each in batch
    ]
    passages.add(conn, passages.new_rows(actor, place, items), space)
