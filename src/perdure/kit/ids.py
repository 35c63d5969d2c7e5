"""Ids of the wire: `<prefix>-<uuid4>`, lowercase."""

import hashlib
import os
import re
import uuid
from typing import Annotated

from pydantic import StringConstraints

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


class RandomBytes:
    """The system's randomness, fetched for many ids at once.

    Each fetch gives up the interpreter's lock; under load a thread waits long to get it back.
    """

    def __init__(self, ids: int = 256):
        self._ids = ids
        self._left: list[bytes] = []

    def take(self) -> bytes:
        """Sixteen bytes that nobody else gets, in any thread."""
        try:
            return self._left.pop()
        except IndexError:
            fetched = os.urandom(16 * self._ids)
            first, *rest = (fetched[at : at + 16] for at in range(0, len(fetched), 16))
            self._left.extend(rest)
            return first

    def forget(self) -> None:
        """Begin anew: a forked process must not repeat what its parent uses."""
        self._left.clear()


RANDOM = RandomBytes()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=RANDOM.forget)


def new_id(prefix: str) -> str:
    """A fresh random id such as `agent-2c9e…`."""
    return f"{prefix}-{uuid.UUID(bytes=RANDOM.take(), version=4)}"


def stable_id(prefix: str, *names: str) -> str:
    """An id shaped like a random one that is always the same for the same names.

    For rows the server makes itself (built-in tools), so that replicas starting at once agree.
    """
    digest = hashlib.sha256("\x1f".join(names).encode()).digest()
    return f"{prefix}-{uuid.UUID(bytes=digest[:16], version=4)}"


def is_id(prefix: str, value: str) -> bool:
    """Whether `value` is a well-formed id of this prefix."""
    return re.fullmatch(f"{prefix}-{UUID4}", value) is not None


def id_pattern(prefix: str) -> StringConstraints:
    """The constraint of a path or body id of this prefix."""
    return StringConstraints(pattern=f"^{prefix}-{UUID4}$")


AgentId = Annotated[str, id_pattern("agent")]
ArchiveId = Annotated[str, id_pattern("archive")]
BlockId = Annotated[str, id_pattern("block")]
FileId = Annotated[str, id_pattern("file")]
FolderId = Annotated[str, id_pattern("source")]
MessageId = Annotated[str, id_pattern("message")]
PassageId = Annotated[str, id_pattern("passage")]
ProviderId = Annotated[str, id_pattern("provider")]
RunId = Annotated[str, id_pattern("run")]
StepId = Annotated[str, id_pattern("step")]
ToolId = Annotated[str, id_pattern("tool")]
