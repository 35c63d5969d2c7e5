"""Archives on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from perdure.archives.store import ArchiveRow
from perdure.embeddings.schemas import EmbeddingConfig, handle_of
from perdure.kit.clock import WIRE_TIME
from perdure.passages.schemas import CreatePassage, Metadata, Origin, Tags
from perdure.passages.store import Provenance

Time = Annotated[datetime, WIRE_TIME]
MAX_BATCH = 5000


def _or_false(value: Any) -> Any:
    return False if value is None else value


Flag = Annotated[bool, BeforeValidator(_or_false)]


class _ArchiveFields(BaseModel):
    description: str | None = None
    metadata: Metadata = Field(default_factory=dict)
    deduplicate: Flag = Field(
        False, description="Whether a text that the archive has already is not stored again."
    )


class Archive(_ArchiveFields):
    """An archive as clients see it."""

    id: str
    name: str
    embedding: str | None = Field(description="The handle of its embedding model; null: by words alone.")
    embedding_config: EmbeddingConfig | None
    vector_db_provider: Literal["native"] = "native"
    created_at: Time
    updated_at: Time
    created_by_id: str | None
    last_updated_by_id: str | None


class _Model(BaseModel):
    embedding: str | None = Field(
        None, description="Handle of an embedding model; null: the default; `none`: found by words alone."
    )
    embedding_config: EmbeddingConfig | None = Field(None, json_schema_extra={"deprecated": True})

    def handle(self) -> str | None:
        """The model's handle, however it was named."""
        return self.embedding or handle_of(self.embedding_config)


class CreateArchive(_ArchiveFields, _Model):
    """A new archive."""

    name: str

    def values(self) -> dict[str, Any]:
        """The columns of the new row, but for those of the embedding."""
        return self.model_dump(include={"name", "description", "metadata", "deduplicate"})


class UpdateArchive(_ArchiveFields, _Model):
    """What to change of an archive; what is left out stays, null goes back to the default."""

    name: str = ""

    def changes(self) -> dict[str, Any]:
        """The columns that were named, but for those of the embedding."""
        columns = {"name", "description", "metadata", "deduplicate"}
        return self.model_dump(include=columns, exclude_unset=True)

    def model(self) -> tuple[str | None] | None:
        """The handle, if the model was named; it may be null."""
        named = self.model_fields_set & {"embedding", "embedding_config"}
        return (self.handle(),) if named else None


class CreateArchivePassage(CreatePassage):
    """A passage for an archive."""

    deduplicate: bool | None = Field(None, description="Whether to leave out what is there; else as it says.")


class CreateBatch(BaseModel):
    """Passages for an archive; all are stored or none."""

    passages: list[CreatePassage] = Field(max_length=MAX_BATCH)
    deduplicate: bool | None = Field(None, description="Whether to leave out what is there; else as it says.")


class UpdatePassage(BaseModel):
    """What to change of a passage; what is left out stays, null clears."""

    text: str = ""
    tags: Tags = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict)

    def changes(self) -> dict[str, Any]:
        """The columns that were named."""
        return self.model_dump(exclude_unset=True)


class ExportedPassage(CreatePassage):
    """A line of an export, and of an import."""

    id: str | None = None
    provenance: Origin | None = None

    def origin(self) -> Provenance | None:
        """The agent that wrote it."""
        return Provenance(**self.provenance.model_dump()) if self.provenance else None


class Imported(BaseModel):
    """What became of an import."""

    passages: int = Field(description="How many were read, those that the archive had already among them.")


def wire_archive(row: ArchiveRow, config: EmbeddingConfig | None) -> Archive:
    """A stored archive as clients see it."""
    return Archive(
        id=row.id,
        name=row.name,
        description=row.description,
        metadata=dict(row.metadata),
        deduplicate=row.deduplicate,
        embedding=row.embedding,
        embedding_config=config,
        created_at=row.created_at,
        updated_at=row.updated_at,
        created_by_id=row.created_by_id,
        last_updated_by_id=row.last_updated_by_id,
    )
