"""An agent's files on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel

from perdure.kit.clock import WIRE_TIME
from perdure.memory.schemas import Block

Time = Annotated[datetime, WIRE_TIME]


class AttachedFile(BaseModel):
    """A file of one of the agent's folders."""

    id: str
    file_id: str
    file_name: str
    folder_id: str
    folder_name: str
    is_open: bool
    last_accessed_at: Time | None
    visible_content: str | None
    start_line: int | None
    end_line: int | None


class AttachedFiles(BaseModel):
    """A page of them."""

    files: list[AttachedFile]
    next_cursor: str | None
    has_more: bool


class FileBlock(Block):
    """An agent's file in the shape of a memory block."""

    file_id: str
    source_id: str
    is_open: bool
    last_accessed_at: Time | None
