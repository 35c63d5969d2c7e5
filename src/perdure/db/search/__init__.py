"""The one search: corpora beside tables of items, found by words and by meaning on both databases."""

from perdure.db.search.corpus import Corpus, corpus
from perdure.db.search.entries import (
    NewEntry,
    Pending,
    beside,
    index,
    leave,
    pending,
    reindex,
    respace,
    spaces,
    store_vectors,
)
from perdure.db.search.lexemes import lexemes
from perdure.db.search.search import search
from perdure.db.search.wanted import Hit, Mode, Wanted

__all__ = [
    "Corpus",
    "Hit",
    "Mode",
    "NewEntry",
    "Pending",
    "Wanted",
    "beside",
    "corpus",
    "index",
    "leave",
    "lexemes",
    "pending",
    "reindex",
    "respace",
    "search",
    "spaces",
    "store_vectors",
]
