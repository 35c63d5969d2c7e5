"""The past of blocks on the wire."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from perdure.kit.clock import WIRE_TIME, Moment
from perdure.memory.versions.store import FIELDS, Version, VersionRow

HIDDEN = ("created_by",)


class BlockVersion(BaseModel):
    """A change of a block."""

    id: str = Field(description="The version's number, as a cursor of lists.")
    block_id: str
    version: int
    action: str = Field(description="create, update, undo, redo, restore or delete.")
    of_version: int | None = Field(default=None, description="Where an undo, a redo or a restore went.")
    changed: list[str] = Field(description="The fields that changed.")
    chars: int = Field(description="The length of the value.")
    user_id: str | None = Field(default=None, description="Who asked for it.")
    agent_id: str | None = Field(default=None, description="The agent whose tool did it.")
    run_id: str | None = Field(default=None, description="The run in which a tool did it.")
    tool: str | None = Field(default=None, description="The tool that did it.")
    created_at: Annotated[datetime, WIRE_TIME]


class BlockContent(BlockVersion):
    """A change of a block, and what the block was after it."""

    block: dict[str, Any] = Field(description="The fields of the block, `value` among them.")


class ChangedLines(BaseModel):
    """Lines that stand in the place of others; lines count from 1."""

    old_line: int
    old: list[str]
    new_line: int
    new: list[str]


class BlockDiff(BaseModel):
    """What differs between two versions."""

    block_id: str
    from_version: int
    to_version: int
    unified: str = Field(description="The difference of the values as patches are written.")
    lines: list[ChangedLines] = Field(description="The same in parts.")
    fields: dict[str, dict[str, Any]] = Field(description="Other fields that differ: `old` and `new`.")


class ChangeOfPast(BaseModel):
    """The body of undo and redo; it may be left out."""

    expected_version: int | None = Field(
        default=None, description="Refuse with 409 where the block has another version by now."
    )


class RestoreBlock(ChangeOfPast):
    """Where to go: one of `version` and `at`."""

    version: int | None = Field(default=None, description="The version to show again.")
    at: Moment | None = Field(default=None, description="A time: what the block was then.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.version is None) == (self.at is None):
            raise ValueError("say one of `version` and `at`")
        return self


def wire_version(row: VersionRow) -> BlockVersion:
    """A version without what it says."""
    return BlockVersion(**_told(row))


def wire_content(version: Version) -> BlockContent:
    """A version with what it says."""
    return BlockContent(**_told(version.row), block=_shown(version))


def fields_between(before: Version, after: Version) -> dict[str, dict[str, Any]]:
    """The fields beside the value that differ between two versions."""
    old, new = _shown(before), _shown(after)
    names = [name for name in FIELDS if name in new and old.get(name) != new[name]]
    return {name: {"old": old.get(name), "new": new[name]} for name in names}


def _told(row: VersionRow) -> dict[str, Any]:
    return {
        "id": str(row.version),
        "block_id": row.block_id,
        "version": row.version,
        "action": row.action,
        "of_version": row.of,
        "changed": [name for name in row.changed if name not in HIDDEN],
        "chars": row.chars,
        "user_id": row.user_id,
        "agent_id": row.agent_id,
        "run_id": row.run_id,
        "tool": row.tool,
        "created_at": row.created_at,
    }


def _shown(version: Version) -> dict[str, Any]:
    return {name: value for name, value in version.columns.items() if name not in HIDDEN}
