"""Sandbox configurations and their variables on the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from perdure.kit.clock import WIRE_TIME
from perdure.kit.ids import id_pattern
from perdure.tools.limits import WantedLimits
from perdure.tools.sandboxes.store import ConfigRow, VariableRow
from perdure.tools.schemas import NpmRequirements, PipRequirement, PipRequirements

SandboxType = Literal["e2b", "modal", "local"]
SandboxConfigId = Annotated[str, id_pattern("sandbox")]
VariableId = Annotated[str, id_pattern("sandbox-env")]
Time = Annotated[datetime, WIRE_TIME]
# What a process can have as the name of a variable.
Key = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^=\x00]+$")]
Value = Annotated[str, StringConstraints(max_length=100_000, pattern=r"^[^\x00]*$")]


class LocalSandboxConfig(BaseModel):
    """The sandbox of this server. Folder and environment are kept for clients: every call has fresh ones."""

    sandbox_dir: str | None = None
    use_venv: bool = False
    venv_name: str = "venv"
    pip_requirements: PipRequirements = Field(
        default_factory=list[PipRequirement], description="Packages that all tools have."
    )
    npm_requirements: NpmRequirements = None
    timeout: float | None = Field(default=None, gt=0, description="Short for `limits.wall_seconds`.")
    limits: WantedLimits | None = None
    hosts: list[str] | None = Field(default=None, description="Of the hosts of the server, only these.")

    @field_validator("pip_requirements", mode="before")
    @classmethod
    def _none_is_none(cls, value: Any) -> Any:
        return [] if value is None else value


class E2BSandboxConfig(BaseModel):
    """Sandboxes of e2b, where the server uses them."""

    timeout: int = Field(default=300, gt=0)
    template: str | None = None
    pip_requirements: list[str] | None = None


class ModalSandboxConfig(BaseModel):
    """Sandboxes of Modal, where the server uses them."""

    timeout: int = Field(default=60, gt=0)
    pip_requirements: list[str] | None = None
    npm_requirements: list[str] | None = None
    language: Literal["python", "typescript"] = "python"


MODELS: Mapping[str, type[BaseModel]] = {
    "local": LocalSandboxConfig,
    "e2b": E2BSandboxConfig,
    "modal": ModalSandboxConfig,
}
AnyConfig = LocalSandboxConfig | E2BSandboxConfig | ModalSandboxConfig


class SandboxConfigCreate(BaseModel):
    """A configuration; its `type` shows in its fields where it is not named."""

    config: AnyConfig
    type: SandboxType | None = None


class SandboxConfigUpdate(BaseModel):
    """What changes; fields of the configuration that are not named stay, null clears them."""

    config: dict[str, Any] | None = None


class VariableCreate(BaseModel):
    """A variable that all tools of the organization see."""

    key: Key
    value: Value
    description: str | None = None


class VariableUpdate(BaseModel):
    """What changes; a description is cleared by null."""

    key: Key | None = None
    value: Value | None = None
    description: str | None = None


class SandboxConfig(BaseModel):
    """How an organization's tools run in sandboxes of one type."""

    model_config = ConfigDict(extra="forbid")

    id: str
    type: SandboxType = "local"
    config: dict[str, Any] = Field(default_factory=dict[str, Any])
    organization_id: str | None = None
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: Time | None = None
    updated_at: Time | None = None

    @classmethod
    def of(cls, row: ConfigRow) -> Self:
        """The wire form of a row."""
        return cls(
            id=row.id,
            type=row.type,  # type: ignore[arg-type]
            config=dict(row.config),
            organization_id=row.organization_id,
            created_by_id=row.created_by,
            last_updated_by_id=row.updated_by,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


class SandboxEnvironmentVariable(BaseModel):
    """A variable with its value, which is sealed where it is stored."""

    model_config = ConfigDict(extra="forbid")

    id: str
    key: str
    value: str
    description: str | None = None
    sandbox_config_id: str
    organization_id: str | None = None
    value_enc: str | None = Field(default=None, description="Always null: what is stored is not shown.")
    created_by_id: str | None = None
    last_updated_by_id: str | None = None
    created_at: Time | None = None
    updated_at: Time | None = None

    @classmethod
    def of(cls, row: VariableRow, value: str) -> Self:
        """The wire form of a row and its value in clear."""
        return cls(
            id=row.id,
            key=row.key,
            value=value,
            description=row.description,
            sandbox_config_id=row.sandbox_config_id,
            organization_id=row.organization_id,
            created_by_id=row.created_by,
            last_updated_by_id=row.updated_by,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
