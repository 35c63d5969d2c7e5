"""An archive's passages as lines of JSON, out and in again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

import orjson
from pydantic import ValidationError

from perdure.archives.archives import Archives
from perdure.archives.schemas import ExportedPassage, Imported
from perdure.db import Database
from perdure.kit.errors import InvalidArgument, explain
from perdure.passages.schemas import wire_passage
from perdure.passages.store import PassageTooLong, checked_text, following
from perdure.tenancy.actor import Actor

AT_ONCE, MOST_BYTES = 500, 8_000_000
LONGEST_LINE = 4_000_000
KEPT = {"id", "text", "tags", "metadata", "created_at", "provenance"}


async def exported(db: Database, actor: Actor, archive_id: str) -> AsyncIterator[bytes]:
    """The archive's passages, the oldest first, each a line."""
    place: tuple[datetime, str] | None = None
    while rows := await db.read(following, actor, archive_id, place, AT_ONCE):
        yield b"".join(
            wire_passage(row).model_dump_json(include=KEPT, exclude_none=True).encode() + b"\n"
            for row in rows
        )
        place = rows[-1].created_at, rows[-1].id


class ImportFailed(InvalidArgument):
    """A line that is no passage; those before it may be stored."""

    def __init__(self, line: int, stored: int, reason: str):
        super().__init__(
            f"line {line}: {reason} The first {stored} passages were stored; with `deduplicate=true` "
            "all can be sent again."
        )


@dataclass(slots=True)
class Import:
    """Lines on their way into an archive."""

    archives: Archives
    actor: Actor
    archive_id: str
    deduplicate: bool | None
    read: int = 0
    stored: int = 0
    _bytes: int = 0
    _waiting: list[ExportedPassage] = field(default_factory=list[ExportedPassage])

    async def run(self, body: AsyncIterator[bytes]) -> Imported:
        """Store what a body holds, a few hundred lines at a time."""
        async for line in lines_of(body):
            self.read += 1
            if line.strip():
                self._waiting.append(self._passage(line))
                self._bytes += len(line)
            if len(self._waiting) == AT_ONCE or self._bytes > MOST_BYTES:
                await self._store()
        await self._store()
        return Imported(passages=self.stored)

    def _passage(self, line: bytes) -> ExportedPassage:
        try:
            passage = ExportedPassage.model_validate(orjson.loads(line))
            checked_text(passage.text)
        except orjson.JSONDecodeError as error:
            raise ImportFailed(self.read, self.stored, f"it is no JSON ({error}).") from error
        except ValidationError as error:
            raise ImportFailed(self.read, self.stored, f"{explain(error.errors())}.") from error
        except PassageTooLong as error:
            raise ImportFailed(self.read, self.stored, error.detail) from error
        return passage

    async def _store(self) -> None:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        for origin, group in groupby(waiting, ExportedPassage.origin):
            items = [each.new() for each in group]
            await self.archives.put(self.actor, self.archive_id, items, origin, self.deduplicate)
            self.stored += len(items)


async def lines_of(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a stream of bytes, however it is cut."""
    rest = b""
    async for piece in body:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > LONGEST_LINE:
            raise InvalidArgument(f"A line has more than {LONGEST_LINE} bytes.")
    if rest:
        yield rest
