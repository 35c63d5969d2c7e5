"""An agent's files as clients see them."""

from perdure.agents.folders.store import AgentFile
from perdure.agents.schemas.files import AttachedFile, FileBlock
from perdure.files.views import view


def attached_id(file_id: str) -> str:
    """The id of a file as one agent's: within its list as unique as the file's own."""
    return file_id.replace("file-", "file_agent-", 1)


def file_id_of(cursor: str | None) -> str | None:
    """The file of such an id."""
    return cursor and cursor.replace("file_agent-", "file-", 1)


def wire_attached(file: AgentFile, text: str, limit: int) -> AttachedFile:
    """An agent's file as clients see it."""
    window = file.window
    return AttachedFile(
        id=attached_id(file.file_id),
        file_id=file.file_id,
        file_name=file.path,
        folder_id=file.folder_id,
        folder_name=file.folder_name,
        is_open=window is not None,
        last_accessed_at=file.last_accessed_at,
        visible_content=view(text, window, limit) if window else None,
        start_line=window.first if window else None,
        end_line=window.last if window else None,
    )


def wire_file_block(file: AgentFile, text: str, limit: int) -> FileBlock:
    """The same in the shape of a memory block."""
    window = file.window
    return FileBlock(
        id=file.file_id.replace("file-", "block-", 1),
        label=file.path,
        value=view(text, window, limit) if window else "",
        limit=limit,
        read_only=True,
        version=1,
        file_id=file.file_id,
        source_id=file.folder_id,
        is_open=window is not None,
        last_accessed_at=file.last_accessed_at,
    )
