"""Which files wait to be read, and who reads them. Units of work.

The rows are the queue: a file is `pending` or `parsing` until it has been read, and one process holds it by
a lease, by the database's clock. Who lost the lease, or whose file was deleted, hears so at its next write.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal_column, or_, select, update

from perdure.db.clock import present, seconds_from_now
from perdure.files.store import FileRow, file_row, remove_pieces
from perdure.files.tables import file_texts, files
from perdure.kit.clock import now
from perdure.kit.errors import Unavailable
from perdure.passages.of_files import still_waiting

# As text, so that both databases see that the partial index applies.
OPEN: ColumnElement[Any] = literal_column("files.status IN ('pending', 'parsing', 'embedding')")
IS_FREE = or_(files.c.lease_owner.is_(None), files.c.lease_expires <= present())
AT_ONCE = 1000
EXPIRY = seconds_from_now("lease_seconds")


class FileLost(Unavailable):
    """The file was deleted, or another process reads it now."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process, and for how long it holds a file before it must say that it is still there."""

    owner: str
    seconds: float


def claim(conn: Connection, holder: Holder) -> FileRow | None:
    """Take the file that has waited longest, if one waits."""
    waiting = OPEN & (files.c.status != "embedding") & IS_FREE
    oldest = select(files.c.id).where(waiting).order_by(files.c.created_at, files.c.id).limit(1)
    if (file_id := conn.execute(oldest).scalar()) is None:
        return None
    taken = conn.execute(
        update(files)
        .where(files.c.id == file_id, waiting)
        .values(status="parsing", tries=files.c.tries + 1, lease_owner=holder.owner, lease_expires=EXPIRY)
        .returning(*files.c),
        {"lease_seconds": holder.seconds},
    ).first()
    return file_row(taken) if taken else None


def release_earlier(conn: Connection, holder: Holder, earlier: str) -> None:
    """Give back what an earlier life of this server held; `earlier` begins the names of its processes."""
    ours = files.c.lease_owner.startswith(earlier, autoescape=True) & (files.c.lease_owner != holder.owner)
    conn.execute(update(files).where(OPEN, ours).values(lease_owner=None, lease_expires=None))


def release(conn: Connection, holder: Holder) -> None:
    """Give back what this process holds, as if it had not been begun."""
    held = OPEN & (files.c.lease_owner == holder.owner)
    freed = {"lease_owner": None, "lease_expires": None, "tries": files.c.tries - 1}
    conn.execute(update(files).where(held).values(freed))


def embedding(conn: Connection) -> list[str]:
    """Some files whose passages wait for vectors, or did."""
    query = select(files.c.id).where(OPEN, files.c.status == "embedding").order_by(files.c.created_at)
    return list(conn.execute(query.limit(AT_ONCE)).scalars())


def complete(conn: Connection) -> None:
    """End those of them that have all their vectors."""
    found = embedding(conn)
    done = set(found) - still_waiting(conn, found)
    if done:
        ended = {"status": "completed", "updated_at": now()}
        conn.execute(update(files).where(files.c.id.in_(done)).values(ended))


def keep(conn: Connection, holder: Holder, file_id: str) -> None:
    """Make sure that the file is still ours, in the transaction that writes for it; raises `FileLost`."""
    kept = conn.execute(
        update(files)
        .where(files.c.id == file_id, files.c.lease_owner == holder.owner)
        .values(lease_expires=EXPIRY),
        {"lease_seconds": holder.seconds},
    )
    if kept.rowcount == 0:
        raise FileLost(f"File {file_id} is no longer read by this server.")


def end(conn: Connection, holder: Holder, file_id: str, values: dict[str, Any]) -> None:
    """Note what came of the reading, and let the upload go."""
    keep(conn, holder, file_id)
    told = {**values, "lease_owner": None, "lease_expires": None, "updated_at": now()}
    conn.execute(update(files).where(files.c.id == file_id).values(told))
    remove_pieces(conn, file_id)


def fail(conn: Connection, holder: Holder, file_id: str, reason: str) -> None:
    """Note why the file cannot be read."""
    end(conn, holder, file_id, {"status": "error", "error_message": reason})


def save_text(conn: Connection, holder: Holder, file_id: str, text: str) -> None:
    """Keep the text of a file, in place of what an earlier try had."""
    keep(conn, holder, file_id)
    conn.execute(file_texts.delete().where(file_texts.c.file_id == file_id))
    conn.execute(file_texts.insert().values(file_id=file_id, text=text))
