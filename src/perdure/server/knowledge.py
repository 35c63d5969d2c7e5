"""Makes what keeps and finds an organization's knowledge, and joins it: vectors, archives, files."""

from dataclasses import dataclass

from perdure.agents import archives as archive_links
from perdure.agents.folders.tools import FileAccess
from perdure.archives.archives import Archives
from perdure.config import Settings
from perdure.db import Database
from perdure.db.search import Corpus
from perdure.embeddings.catalog import Embeddings
from perdure.embeddings.indexer import Indexer
from perdure.files.embedding import FolderEmbedding
from perdure.files.parser import Parser
from perdure.files.queue import Holder
from perdure.passages.tables import PASSAGES
from perdure.providers.catalog import Models
from perdure.runs.leases import Lease

CORPORA: tuple[Corpus, ...] = (PASSAGES,)  # all that is kept embedded


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What works on texts that are found again; `indexer` and `parser` work in the background."""

    embeddings: Embeddings
    indexer: Indexer
    archives: Archives
    folder_embedding: FolderEmbedding
    parser: Parser
    files: FileAccess


def open_knowledge(settings: Settings, db: Database, models: Models, lease: Lease) -> Knowledge:
    """All of it; nothing runs before its parts are started."""
    embeddings = Embeddings(models, settings.embeddings)
    indexer = Indexer(db, embeddings, CORPORA)
    folder_embedding = FolderEmbedding(db, models, embeddings, indexer.wake)
    return Knowledge(
        embeddings,
        indexer,
        Archives(db, archive_links, embeddings, indexer),
        folder_embedding,
        Parser(db, Holder(lease.owner, lease.seconds), settings.files, folder_embedding),
        FileAccess(models, folder_embedding),
    )
