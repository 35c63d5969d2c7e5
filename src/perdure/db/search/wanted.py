"""What is looked for, and what is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import ColumnElement

Mode = Literal["hybrid", "fts", "vector"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search within an organization.

    `mode`: by words (`fts`), by meaning (`vector`), or `hybrid`, which also finds what stands next to the
    words in its series. `scopes` null: all of them. `where` is a condition on the items' table, applied
    before any limit. `vectors` is the query in each space (unit length, little-endian float32). `recency` is
    the weight of being new beside being fit, which has 1.
    """

    organization_id: str
    text: str
    scopes: Sequence[str] | None = None
    where: ColumnElement[bool] | None = None
    vectors: Mapping[str, bytes | memoryview] = field(default_factory=dict[str, "bytes | memoryview"])
    mode: Mode = "hybrid"
    limit: int = 10
    recency: float = 0.0


@dataclass(frozen=True, slots=True)
class Hit:
    """What was found: its fused score, and its place (from 1) in each list; null where it is not in it.

    `lexical_score` is its BM25, `vector_score` the cosine.
    """

    id: str
    score: float
    lexical_rank: int | None = None
    lexical_score: float | None = None
    vector_rank: int | None = None
    vector_score: float | None = None
