"""Passages, stored. What is stored can be searched by its words at once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, insert, select, tuple_, update

from perdure.content.estimate import text_tokens
from perdure.db.lists import has_all, has_any
from perdure.db.search import NewEntry, index, reindex
from perdure.kit.clock import now
from perdure.kit.errors import InvalidArgument, NotFound
from perdure.kit.ids import new_id
from perdure.kit.paging import Page, paginate
from perdure.kit.text import storable
from perdure.passages.tables import PASSAGES, passages
from perdure.tenancy.actor import Actor, is_owned, one, owned

MAX_TOKENS = 8192
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class PassageRow:
    """A passage; the fields are the table's columns in order."""

    id: str
    organization_id: str
    archive_id: str | None
    source_id: str | None
    file_id: str | None
    text: str
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    digest: str
    agent_id: str | None
    run_id: str | None
    step_id: str | None
    message_id: str | None
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Where passages belong: in an archive, or in a file of a folder. `space` is that of their vectors."""

    archive_id: str | None = None
    source_id: str | None = None
    file_id: str | None = None
    space: str | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """The agent that wrote a passage, and where in its history it asked for that."""

    agent_id: str
    run_id: str | None = None
    step_id: str | None = None
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage to be stored. `created_at` is now where nobody says."""

    text: str
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PassageFilter:
    """Which passages a list or a search is about; unset fields let everything pass. Times are inclusive."""

    archive_ids: Sequence[str] | None = None
    text: str | None = None
    tags: Sequence[str] = ()
    match_all_tags: bool = False
    start: datetime | None = None
    end: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL over the table."""
        found: list[ColumnElement[bool]] = []
        if self.archive_ids is not None:
            found.append(passages.c.archive_id.in_(self.archive_ids))
        if self.text:
            found.append(passages.c.text.icontains(self.text, autoescape=True))
        if self.tags:
            tagged = has_all if self.match_all_tags else has_any
            found.append(tagged(passages.c.tags, self.tags))
        if self.start is not None:
            found.append(passages.c.created_at >= self.start)
        if self.end is not None:
            found.append(passages.c.created_at <= self.end)
        return found


class PassageNotFound(NotFound):
    """No such passage where it was looked for."""

    def __init__(self, passage_id: str, place: str = ""):
        super().__init__(f"There is no passage {passage_id}{place}.")


class PassageTooLong(InvalidArgument):
    """A text that embedding models and agents could not read in one piece."""

    def __init__(self, tokens: int):
        super().__init__(
            f"text: a passage has at most {MAX_TOKENS} tokens, and this one has about {tokens}. Part it."
        )


def digest_of(text: str) -> str:
    """The same for texts that say the same; spacing does not count."""
    return hashlib.blake2b(" ".join(text.split()).encode(), digest_size=DIGEST_BYTES).hexdigest()


def passage_row(row: Row[Any]) -> PassageRow:
    """A full row of the table."""
    return PassageRow(*row)


def new_rows(
    actor: Actor, place: Place, items: Sequence[NewPassage], provenance: Provenance | None = None
) -> list[PassageRow]:
    """Rows that are not stored yet; raises `PassageTooLong`. In lists they stand in their order."""
    origin = asdict(provenance) if provenance else dict.fromkeys(Provenance.__slots__)
    moment = now()
    return [
        PassageRow(
            id=new_id("passage"),
            organization_id=actor.organization_id,
            archive_id=place.archive_id,
            source_id=place.source_id,
            file_id=place.file_id,
            text=(text := checked_text(item.text)),
            tags=storable(list(dict.fromkeys(item.tags))),
            metadata=storable(dict(item.metadata)),
            digest=digest_of(text),
            **origin,
            created_by_id=actor.user_id,
            last_updated_by_id=actor.user_id,
            created_at=item.created_at or moment + timedelta(microseconds=number),
            updated_at=moment,
        )
        for number, item in enumerate(items)
    ]


def checked_text(text: str) -> str:
    """A text that can be stored; raises `PassageTooLong`."""
    if (tokens := text_tokens(text)) > MAX_TOKENS:
        raise PassageTooLong(tokens)
    return storable(text)


def add(conn: Connection, rows: Sequence[PassageRow], space: str | None) -> None:
    """Store new rows of one place and index them; their vectors follow where there is a `space`."""
    if rows:
        conn.execute(insert(passages), [asdict(row) for row in rows])
        index(conn, PASSAGES, rows[0].organization_id, [_entry(row, space) for row in rows])


def _entry(row: PassageRow, space: str | None) -> NewEntry:
    return NewEntry(row.id, row.archive_id or row.source_id or "", row.text, space, row.file_id)


def get(conn: Connection, actor: Actor, passage_id: str) -> PassageRow:
    """The passage; raises `PassageNotFound`."""
    row = one(conn, passages, actor, passage_id)
    if row is None:
        raise PassageNotFound(passage_id)
    return passage_row(row)


def by_ids(conn: Connection, actor: Actor, ids: Sequence[str]) -> dict[str, PassageRow]:
    """The passages of these ids, by id; unknown ones are left out."""
    rows = conn.execute(owned(passages, actor).where(passages.c.id.in_(ids)))
    return {row.id: passage_row(row) for row in rows}


def by_digests(
    conn: Connection, actor: Actor, archive_id: str, digests: Sequence[str]
) -> dict[str, PassageRow]:
    """What an archive has of these contents, by digest; of several that say the same the oldest."""
    query = owned(passages, actor).where(passages.c.archive_id == archive_id, passages.c.digest.in_(digests))
    rows = conn.execute(query.order_by(passages.c.created_at.desc(), passages.c.id.desc()))
    return {row.digest: passage_row(row) for row in rows}


def list_(conn: Connection, actor: Actor, page: Page, wanted: PassageFilter) -> list[PassageRow]:
    """One page of passages, by their time."""
    query = owned(passages, actor).where(*wanted.conditions())
    rows = paginate(conn, query, page, key=passages.c.created_at, id=passages.c.id)
    return [passage_row(row) for row in rows]


def list_archived(conn: Connection, actor: Actor, page: Page, wanted: PassageFilter) -> list[PassageRow]:
    """The same of archives only, not of files."""
    query = owned(passages, actor).where(passages.c.archive_id.is_not(None), *wanted.conditions())
    rows = paginate(conn, query, page, key=passages.c.created_at, id=passages.c.id)
    return [passage_row(row) for row in rows]


def following(
    conn: Connection, actor: Actor, archive_id: str, place: tuple[datetime, str] | None, most: int
) -> list[PassageRow]:
    """An archive's passages behind a time and an id, which may be gone by now; the oldest first."""
    query = owned(passages, actor).where(passages.c.archive_id == archive_id)
    order = (passages.c.created_at, passages.c.id)
    if place:
        types = [column.type for column in order]
        query = query.where(tuple_(*order) > tuple_(*place, types=types))
    return [passage_row(row) for row in conn.execute(query.order_by(*order).limit(most))]


def count(conn: Connection, actor: Actor, wanted: PassageFilter) -> int:
    """How many passages a filter leaves."""
    query = select(func.count()).select_from(passages).where(is_owned(passages, actor), *wanted.conditions())
    return conn.execute(query).scalar_one()


def change(
    conn: Connection, actor: Actor, passage: PassageRow, values: Mapping[str, Any], space: str | None
) -> PassageRow:
    """Change columns by name; a new text is indexed anew, its vector follows where there is a `space`."""
    changed = storable({name: value for name, value in values.items() if getattr(passage, name) != value})
    if not changed:
        return passage
    if "text" in changed:
        changed["digest"] = digest_of(checked_text(changed["text"]))
    stamped = {**changed, "updated_at": now(), "last_updated_by_id": actor.user_id}
    conn.execute(_mine(update(passages), actor, passage.id).values(stamped))
    after = get(conn, actor, passage.id)
    if "text" in changed:
        reindex(conn, PASSAGES, actor.organization_id, [_entry(after, space)])
    return after


def remove(conn: Connection, actor: Actor, passage: PassageRow) -> None:
    """Delete a passage."""
    conn.execute(_mine(delete(passages), actor, passage.id))


def _mine(statement: Any, actor: Actor, passage_id: str) -> Any:
    return statement.where(is_owned(passages, actor), passages.c.id == passage_id)


def recent_tags(conn: Connection, actor: Actor, wanted: PassageFilter, among: int) -> list[str]:
    """The tags of the latest passages, so many of them, by name."""
    query: Select[Any] = select(passages.c.tags).where(is_owned(passages, actor), *wanted.conditions())
    latest = query.order_by(passages.c.created_at.desc(), passages.c.id.desc()).limit(among)
    return sorted({tag for (tags,) in conn.execute(latest) for tag in tags})
