"""Folders and files on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from perdure.embeddings.schemas import CHUNK_SIZE, EmbeddingConfig, handle_of
from perdure.files.folders import FolderRow
from perdure.files.store import FileRow, FolderStats, Status
from perdure.kit.clock import WIRE_TIME
from perdure.kit.text import storable

Time = Annotated[datetime, WIRE_TIME]
LEAST_CHUNK, MOST_CHUNK = 20, 4000  # tokens; what it stands under comes on top
Text = Annotated[str, AfterValidator(storable)]
Metadata = Annotated[dict[str, Any], AfterValidator(storable)]


def _one_line(name: str) -> str:
    if not name.isprintable() or "/" in name:
        raise ValueError("a folder's name is one line without slashes: files are shown as `folder/file`")
    return name


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), AfterValidator(_one_line)
]


class Folder(BaseModel):
    """A folder as clients see it."""

    id: str
    name: str
    description: str | None
    instructions: str | None
    metadata: dict[str, Any] | None
    embedding_config: EmbeddingConfig
    vector_db_provider: Literal["native"] = "native"
    organization_id: str | None
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: Time
    updated_at: Time


class CreateFolder(BaseModel):
    """A new folder. Without an embedding model its passages get that of the server's settings."""

    name: Name = Field(description="Its name, which no other folder of the organization has.")
    description: Text | None = Field(None, description="What is in it; agents read it.")
    instructions: Text | None = Field(None, description="How agents are to use it; they read it.")
    metadata: Metadata | None = None
    embedding: str | None = Field(None, description="Handle of an embedding model; `none` for none.")
    embedding_chunk_size: int | None = Field(
        None, ge=LEAST_CHUNK, le=MOST_CHUNK, description="About how many tokens a passage has."
    )
    embedding_config: EmbeddingConfig | None = Field(None, json_schema_extra={"deprecated": True})

    def values(self) -> dict[str, Any]:
        """The columns of the new row."""
        config = self.embedding_config
        size = self.embedding_chunk_size or (config and config.embedding_chunk_size) or CHUNK_SIZE
        return {
            "name": self.name,
            "description": self.description,
            "instructions": self.instructions,
            "metadata": self.metadata or {},
            "embedding": self.embedding or handle_of(config),
            "chunk_size": max(LEAST_CHUNK, min(size, MOST_CHUNK)),
        }


class UpdateFolder(BaseModel):
    """What to change of a folder; what is left out stays, null clears. Its files stay parted as they are."""

    name: Name | None = None
    description: Text | None = None
    instructions: Text | None = None
    metadata: Metadata | None = None
    embedding_config: EmbeddingConfig | None = Field(None, description="Its vectors are then made anew.")

    def values(self) -> dict[str, Any]:
        """The columns that were named."""
        named = self.model_dump(exclude_unset=True, exclude={"embedding_config"})
        if named.get("name", "") is None:
            del named["name"]
        if "metadata" in named:
            named["metadata"] = named["metadata"] or {}
        if "embedding_config" in self.model_fields_set:
            named["embedding"] = handle_of(self.embedding_config)
        return named


def named_config(handle: str | None) -> EmbeddingConfig:
    """The model of a handle as far as the handle tells; null is the server's default."""
    provider, _, model = (handle or "").partition("/")
    return EmbeddingConfig(
        embedding_endpoint_type=provider, embedding_model=model, embedding_dim=0, handle=handle
    )


class File(BaseModel):
    """A file as clients see it."""

    id: str
    source_id: str
    file_name: str
    original_file_name: str
    file_path: None = None
    file_type: str
    file_size: int
    file_creation_date: None = None
    file_last_modified_date: None = None
    processing_status: Status
    error_message: str | None
    total_chunks: int | None
    chunks_embedded: int
    content: str | None = None
    organization_id: str | None
    created_at: Time
    updated_at: Time


class FileStats(BaseModel):
    """How large a file is."""

    file_id: str
    file_name: str
    file_size: int


class FolderContents(BaseModel):
    """How much is in a folder."""

    source_id: str
    source_name: str
    file_count: int
    total_size: int
    files: list[FileStats]


class Contents(BaseModel):
    """How much is in all folders of an organization."""

    total_sources: int
    total_files: int
    total_size: int
    sources: list[FolderContents]


def wire_folder(row: FolderRow, config: EmbeddingConfig) -> Folder:
    """A stored folder as clients see it."""
    return Folder(
        id=row.id,
        name=row.name,
        description=row.description,
        instructions=row.instructions,
        metadata=dict(row.metadata),
        embedding_config=config.model_copy(update={"embedding_chunk_size": row.chunk_size}),
        organization_id=row.organization_id,
        created_by_id=row.created_by_id,
        last_updated_by_id=row.last_updated_by_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def wire_file(row: FileRow, embedded: int = 0, content: str | None = None) -> File:
    """A stored file as clients see it; `embedded` of its passages have their vectors."""
    done = row.status == "embedding" and embedded >= (row.chunks or 0)
    return File(
        id=row.id,
        source_id=row.folder_id,
        file_name=row.name,
        original_file_name=row.original_name,
        file_type=row.media_type,
        file_size=row.size,
        processing_status="completed" if done else row.status,
        error_message=row.error_message,
        total_chunks=row.chunks,
        chunks_embedded=embedded,
        content=content,
        organization_id=row.organization_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def wire_contents(found: list[FolderStats], *, detailed: bool) -> Contents:
    """How much is in these folders, each by itself only where asked for."""
    sizes = [sum(file.size for file in each.files) for each in found]
    listed = [
        FolderContents(
            source_id=each.folder.id,
            source_name=each.folder.name,
            file_count=len(each.files),
            total_size=size,
            files=[
                FileStats(file_id=file.id, file_name=file.name, file_size=file.size) for file in each.files
            ],
        )
        for each, size in zip(found, sizes, strict=True)
    ]
    return Contents(
        total_sources=len(found),
        total_files=sum(len(each.files) for each in found),
        total_size=sum(sizes),
        sources=listed if detailed else [],
    )
