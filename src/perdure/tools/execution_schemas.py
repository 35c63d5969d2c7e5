"""Calls of stored tools from outside of any conversation, on the wire."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from perdure.tools.base import Returned
from perdure.tools.dispatch import as_text


class ToolExecuteRequest(BaseModel):
    """The arguments of a call."""

    model_config = ConfigDict(extra="forbid")

    args: dict[str, Any] = Field(default_factory=dict[str, Any])


class ToolExecutionResult(BaseModel):
    """What came of a call; `func_return` is JSON as the tool returned it, null after an error."""

    status: Literal["success", "error"]
    func_return: Any = None
    agent_state: None = Field(default=None, description="Always null: what a tool changes is stored.")
    stdout: list[str] | None = None
    stderr: list[str] | None = None
    sandbox_config_fingerprint: str | None = None

    @classmethod
    def of(cls, done: Returned) -> Self:
        """The wire form; what an error says is in `stderr`."""
        stdout, stderr = list(done.stdout), list(done.stderr)
        if done.status == "success":
            return cls(status="success", func_return=done.value, stdout=stdout, stderr=stderr)
        return cls(status="error", stdout=stdout, stderr=stderr or [as_text(done.value)])
