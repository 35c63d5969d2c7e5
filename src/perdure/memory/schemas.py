"""Memory blocks on the wire."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from perdure.memory.store import DEFAULTS, LIMIT, BlockRow

MAX_LIMIT = 2_147_483_647
LABEL = re.compile(r"[A-Za-z0-9_/-]{1,50}")


def check_label(label: str) -> str:
    """The label, if it is one; else `ValueError` says what a label is."""
    if not LABEL.fullmatch(label):
        raise ValueError(
            f"{label!r} cannot be a label: use 1 to 50 letters, digits, underscores, hyphens and slashes."
        )
    return label


def _once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _or_empty(value: Any) -> Any:
    return "" if value is None else value


def _or_no_tags(value: Any) -> Any:
    return [] if value is None else value


def _or_nothing(value: Any) -> Any:
    return {} if value is None else value


def _or_false(value: Any) -> Any:
    return False if value is None else value


def _or_default_limit(value: Any) -> Any:
    return LIMIT if value is None else value


Label = Annotated[str, AfterValidator(check_label)]
Value = Annotated[str, BeforeValidator(_or_empty)]
Limit = Annotated[int, BeforeValidator(_or_default_limit), Field(ge=1, le=MAX_LIMIT)]
Metadata = Annotated[dict[str, Any], BeforeValidator(_or_nothing)]
Tags = Annotated[list[str], BeforeValidator(_or_no_tags), AfterValidator(_once)]
Flag = Annotated[bool, BeforeValidator(_or_false)]


class _BlockFields(BaseModel):
    value: Value = Field(default="", description="What the block says.")
    limit: Limit = Field(default=LIMIT, description="The most characters the value may have.")
    description: str | None = Field(default=None, description="What the block is for; agents read it.")
    read_only: Flag = Field(default=False, description="Whether agents may not change it.")
    metadata: Metadata = Field(default_factory=dict)
    tags: Tags = Field(default_factory=list)
    project_id: str | None = None
    is_template: Flag = False
    template_name: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    entity_id: str | None = None
    preserve_on_migration: Flag = False
    hidden: Flag = Field(default=False, description="Whether lists leave it out.")


class Block(_BlockFields):
    """A memory block as clients see it."""

    id: str
    label: str
    version: int = Field(description="How often it has changed, from 1; a change can be meant for a version.")
    created_by_id: str | None = None
    last_updated_by_id: str | None = None


class CreateBlock(_BlockFields):
    """A new memory block."""

    label: Label = Field(description="The name by which agents know it.")

    def values(self) -> dict[str, Any]:
        """The columns of the new row."""
        return {**DEFAULTS, **self.model_dump()}


class UpdateBlock(_BlockFields):
    """What to change of a memory block; what is left out stays, null goes back to the default."""

    label: Label = Field(default="", description="A new name, for all agents that share the block.")

    expected_version: int | None = Field(
        default=None, description="Refuse with 409 where the block has another version by now."
    )

    def changes(self) -> dict[str, Any]:
        """The columns that were named."""
        return self.model_dump(exclude_unset=True, exclude={"expected_version"})


def wire_block(row: BlockRow) -> Block:
    """A stored block as clients see it."""
    return Block(
        id=row.id,
        label=row.label,
        version=row.version,
        value=row.value,
        limit=row.limit,
        description=row.description,
        read_only=row.read_only,
        metadata=dict(row.metadata),
        tags=list(row.tags),
        project_id=row.project_id,
        is_template=row.is_template,
        template_name=row.template_name,
        template_id=row.template_id,
        base_template_id=row.base_template_id,
        deployment_id=row.deployment_id,
        entity_id=row.entity_id,
        preserve_on_migration=row.preserve_on_migration,
        hidden=row.hidden,
        created_by_id=row.created_by,
        last_updated_by_id=row.updated_by,
    )
