"""Passages of an agent's files, found by what they say and mean."""

from collections.abc import Sequence
from dataclasses import dataclass

from perdure.agents.folders import store
from perdure.agents.folders.store import AgentFile
from perdure.db import Database
from perdure.files.embedding import FolderEmbedding
from perdure.passages.store import PassageRow
from perdure.tenancy.actor import Actor


@dataclass(frozen=True, slots=True)
class Found:
    """A passage of a file."""

    path: str
    text: str
    first_line: int
    last_line: int


async def search_files(
    db: Database, actor: Actor, embedding: FolderEmbedding, agent_id: str, query: str, limit: int
) -> Sequence[Found]:
    """The passages that fit best, best first."""
    folder_ids = await db.read(store.folder_ids_of, agent_id)
    found = await embedding.search(actor, folder_ids, query, limit)
    files = {file.file_id: file for file in await db.read(store.files_of, agent_id)}
    return [_found(files[row.file_id], row) for row in found if row.file_id in files]


def _found(file: AgentFile, row: PassageRow) -> Found:
    return Found(file.path, row.text, row.metadata["first_line"], row.metadata["last_line"])
