"""Taking a file in: from the request to a temporary file, from there piece by piece into the database.

Every server of a database can then read what any of them took, and what was acknowledged is kept as safely
as everything else. The pieces are small transactions, so that a large file makes nobody wait.
"""

import contextlib
import errno
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from fastapi import Request
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from perdure.db import Database
from perdure.db.space import is_full
from perdure.files import store
from perdure.files.kinds import media_type_of
from perdure.files.store import Duplicates, FileRow, Stored, new_file, plain_name
from perdure.kit.errors import PerdureError, Unprocessable
from perdure.kit.outbound import CHARSET
from perdure.tenancy.actor import Actor

PIECE = 1024 * 1024
ENVELOPE = 64 * 1024  # what a form may take beside its file
BEGINNING = 64 * 1024
MOST_FIELDS = 20
Add = Callable[[Connection, Actor, FileRow, Duplicates], Stored]


class TooLarge(PerdureError):
    """The file is larger than this server takes."""

    status = 413

    def __init__(self, limit: int):
        super().__init__(
            f"file: it is larger than {limit} bytes, the most this server takes (setting `files.max_bytes`)."
        )


class NoSpace(PerdureError):
    """The disk has no room for it."""

    status = 507

    def __init__(self) -> None:
        super().__init__("The server's disk is full; nothing of the file was kept. Make room and try again.")


class NotAFile(Unprocessable):
    """The body is no form with a file."""

    def __init__(self, why: str):
        super().__init__(f"file: {why}. Send the file as the field `file` of a form (multipart/form-data).")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that has arrived in whole, on this server's disk."""

    file: UploadFile
    name: str
    size: int


async def receive(request: Request, limit: int) -> Upload:
    """Read the form of a request to a temporary file; `Upload.file` is to be closed after use."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise NotAFile("the body is no form")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit + ENVELOPE:
        raise TooLarge(limit)
    body = _limited(request.stream(), limit)
    try:
        form = await MultiPartParser(request.headers, body, max_files=1, max_fields=MOST_FIELDS).parse()
    except MultiPartException as error:
        raise NotAFile(error.message.rstrip(".")) from error
    except OSError as error:
        raise NoSpace if error.errno in (errno.ENOSPC, errno.EDQUOT) else error from error
    file = form.get("file")
    if not isinstance(file, UploadFile):
        await form.close()
        raise NotAFile("the form has no file of this name")
    size = file.size or 0
    if size > limit:
        await file.close()
        raise TooLarge(limit)
    return Upload(file, plain_name(file.filename or ""), size)


async def _limited(body: AsyncGenerator[bytes, None], limit: int) -> AsyncGenerator[bytes, None]:
    read = 0
    async for piece in body:
        read += len(piece)
        if read > limit + ENVELOPE:
            raise TooLarge(limit)
        yield piece


async def take(
    db: Database,
    actor: Actor,
    folder_id: str,
    upload: Upload,
    name: str | None,
    duplicates: Duplicates,
    add: Add,
) -> Stored:
    """Store an upload, to be read in the background; it is there once `add` has stored its row.

    Whatever is raised, nothing of it stays.
    """
    beginning = await upload.file.read(BEGINNING)
    declared = upload.file.headers.get("content-type", "")
    called = plain_name(name) if name and name.strip() else upload.name
    charset = CHARSET.search(declared)
    file = new_file(
        actor, folder_id, called, media_type_of(called, declared, beginning), charset[1] if charset else None
    )
    file = replace(file, original_name=upload.name, size=upload.size)
    await upload.file.seek(0)
    try:
        await _store_pieces(db, file, upload)
        return await db.write(add, actor, file, duplicates)
    except (DBAPIError, PerdureError) as error:
        with contextlib.suppress(DBAPIError):  # what stays even so is let go within some hours
            await db.write(_forget, file.id)
        if isinstance(error, DBAPIError) and is_full(error):
            raise NoSpace from error
        raise


async def _store_pieces(db: Database, file: FileRow, upload: Upload) -> None:
    number = 0
    while piece := await upload.file.read(PIECE):
        await db.write(store.add_piece, file.id, number, piece)
        number += 1


def _forget(conn: Connection, file_id: str) -> None:
    store.remove_pieces(conn, file_id)
