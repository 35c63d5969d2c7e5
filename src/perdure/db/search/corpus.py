"""A corpus: the tables beside a table of items by which these are found.

`entries` has one row for each item that can be found: its lexemes, and the space of vectors it shall be
found in. `vectors` has what was embedded of them. What an engine needs to find lexemes quickly is derived
from `entries` and no part of the history of revisions: `ensure_indexes` makes it wherever it is missing.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
    inspect,
    text,
)

Number = BigInteger().with_variant(Integer, "sqlite")
LEXEMES = "_lexemes"
DERIVED = "search"  # in a table's info: has indexes of ours

ON_SQLITE = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS {index} USING fts5(lexemes, content='{entries}', "
    "content_rowid='number', tokenize='ascii', detail=none, columnsize=0)",
    "CREATE TRIGGER IF NOT EXISTS {index}_insert AFTER INSERT ON {entries} BEGIN "
    "INSERT INTO {index}(rowid, lexemes) VALUES (new.number, new.lexemes); END",
    "CREATE TRIGGER IF NOT EXISTS {index}_delete AFTER DELETE ON {entries} BEGIN "
    "INSERT INTO {index}({index}, rowid, lexemes) VALUES ('delete', old.number, old.lexemes); END",
)
ON_POSTGRES = ("CREATE INDEX IF NOT EXISTS {index} ON {entries} USING gin (string_to_array(lexemes, ' '))",)


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Where items of one table are found by what `text` says: `entries`, `vectors`, and the index's name.

    `in_order`: a scope's entries follow one another, as messages do: what stands next to one tells of it.
    Items have an `id`; entries go with them. An entry is never changed but in its spaces: an item
    whose text changes gets a new one.
    """

    items: Table
    text: Column[str]
    entries: Table
    vectors: Table
    in_order: bool = True

    @property
    def index(self) -> str:
        """The name of the engine's index of lexemes."""
        return self.items.name + LEXEMES


def corpus(items: Table, text: Column[str], *, in_order: bool = True) -> Corpus:
    """Declare the tables beside a table of items with text."""
    return Corpus(items, text, _entries(items), _vectors(items), in_order)


def _entries(items: Table) -> Table:
    name = f"{items.name}_entries"
    waiting = text("space IS NOT NULL AND (embedded IS NULL OR embedded <> space)")
    table = Table(
        name,
        items.metadata,
        # Never given twice, so that what is known of a number in memory stays true.
        Column("number", Number, primary_key=True, autoincrement=True),
        Column("id", String, ForeignKey(f"{items.name}.id", ondelete="CASCADE"), nullable=False, unique=True),
        Column("organization_id", String, nullable=False),
        Column("scope", String, nullable=False),
        Column("series", String, nullable=False),
        Column("position", Number, nullable=False),
        # First those of the organization and the scope, then those of the text.
        Column("lexemes", Text, nullable=False),
        Column("length", Integer, nullable=False),
        Column("space", String),  # the vector it shall have; null: words only
        Column("embedded", String),  # the space of the vector that it has
        Index(f"ix_{name}_scope", "scope", "number", "length"),
        Index(f"ix_{name}_organization_id", "organization_id", "number", "length"),
        Index(f"ix_{name}_series", "series", "position"),
        Index(f"ix_{name}_waiting", "number", sqlite_where=waiting, postgresql_where=waiting),
        sqlite_autoincrement=True,
        info={DERIVED: items.name + LEXEMES},
    )
    event.listen(table, "after_create", _create_index)
    event.listen(table, "before_drop", _drop_index)
    return table


def _vectors(items: Table) -> Table:
    name = f"{items.name}_vectors"
    return Table(
        name,
        items.metadata,
        Column("id", Number, primary_key=True, autoincrement=True),  # grows, so that what is new is known
        Column(
            "number",
            Number,
            ForeignKey(f"{items.name}_entries.number", ondelete="CASCADE"),
            nullable=False,
            unique=True,
        ),
        Column("organization_id", String, nullable=False),
        Column("scope", String, nullable=False),
        Column("space", String, nullable=False),
        Column("sketch", LargeBinary, nullable=False),  # a few bits by which near ones are known
        Column("vector", LargeBinary, nullable=False),
        # With all that is read of many: the vectors themselves are read of few.
        Index(f"ix_{name}_scope", "scope", "space", "id", "number", "sketch"),
        Index(f"ix_{name}_organization_id", "organization_id", "space", "id"),
        sqlite_autoincrement=True,
    )


def _create_index(entries: Table, conn: Connection, **_: Any) -> None:
    statements = ON_SQLITE if conn.dialect.name == "sqlite" else ON_POSTGRES
    for statement in statements:
        conn.execute(text(statement.format(index=entries.info[DERIVED], entries=entries.name)))


def _drop_index(entries: Table, conn: Connection, **_: Any) -> None:
    if conn.dialect.name == "sqlite":
        conn.execute(text(f"DROP TABLE IF EXISTS {entries.info[DERIVED]}"))


def ensure_indexes(conn: Connection, declared: MetaData) -> None:
    """Make the indexes that are missing beside tables that revisions made, of what is stored there."""
    present = set(inspect(conn).get_table_names())
    for entries in declared.sorted_tables:
        index = entries.info.get(DERIVED)
        if index is None or index in present or entries.name not in present:
            continue
        _create_index(entries, conn)
        if conn.dialect.name == "sqlite":
            conn.execute(text(f"INSERT INTO {index}({index}) VALUES ('rebuild')"))


def is_declared(declared: MetaData, name: str | None) -> bool:
    """Whether a table or index is one that is declared, not one of the engine's own."""
    derived = {table.info[DERIVED] for table in declared.tables.values() if DERIVED in table.info}
    return name is None or not any(name == index or name.startswith(f"{index}_") for index in derived)
