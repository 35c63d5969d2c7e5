"""Uploading through the official client, and waiting until a file has been read."""

import time
from typing import Any

from letta_client import Letta

ENDED = ("completed", "error")


def upload(
    client: Letta, folder_id: str, file_name: str, content: bytes | str, media_type: str = "", **how: Any
) -> Any:
    body = content.encode() if isinstance(content, str) else content
    return client.folders.files.upload(
        folder_id, file=(file_name, body, media_type or "application/octet-stream"), **how
    )


def settled(client: Letta, file: Any, *, seconds: float = 20) -> Any:
    """The file once it has been read, or not."""
    deadline = time.monotonic() + seconds
    while True:
        found = client.folders.files.retrieve(file.id, folder_id=file.source_id, include_content=True)
        if found.processing_status in ENDED:
            return found
        assert time.monotonic() < deadline, f"{found.file_name} is still {found.processing_status}"
        time.sleep(0.02)


def read(client: Letta, folder_id: str, name: str, content: bytes | str, media_type: str = "") -> Any:
    """Upload a file and wait until it has been read."""
    return settled(client, upload(client, folder_id, name, content, media_type))
