"""Ids of the wire: `<prefix>-<uuid4>`, lowercase."""

import hashlib
import re
import uuid
from typing import Annotated

from pydantic import StringConstraints

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def new_id(prefix: str) -> str:
    """A fresh random id such as `agent-2c9e…`."""
    return f"{prefix}-{uuid.uuid4()}"


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
BlockId = Annotated[str, id_pattern("block")]
MessageId = Annotated[str, id_pattern("message")]
ProviderId = Annotated[str, id_pattern("provider")]
RunId = Annotated[str, id_pattern("run")]
StepId = Annotated[str, id_pattern("step")]
ToolId = Annotated[str, id_pattern("tool")]
