"""Organizations and users on the wire."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from perdure.kit.clock import WIRE_TIME
from perdure.kit.ids import id_pattern
from perdure.tenancy.actor import DEFAULT_ORGANIZATION
from perdure.tenancy.store import OrganizationRow, UserRow

OrganizationId = Annotated[str, id_pattern("org")]
UserId = Annotated[str, id_pattern("user")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Time = Annotated[datetime, WIRE_TIME]


class Organization(BaseModel):
    """A tenant."""

    id: str
    name: str
    created_at: Time | None = None
    privileged_tools: bool = False

    @classmethod
    def of(cls, row: OrganizationRow) -> Self:
        """The wire form of a row."""
        return cls(id=row.id, name=row.name, created_at=row.created_at, privileged_tools=row.privileged_tools)


class OrganizationCreate(BaseModel):
    """A new organization; without a name it is called after its id."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    privileged_tools: bool | None = False


class OrganizationUpdate(BaseModel):
    """What changes; fields that are absent or null stay, as neither can be empty."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    privileged_tools: bool | None = None


class User(BaseModel):
    """Someone of an organization."""

    id: str
    organization_id: str | None = DEFAULT_ORGANIZATION
    name: str
    created_at: Time | None = None
    updated_at: Time | None = None
    is_deleted: bool = Field(default=False, description="Always false: deleted users are gone.")

    @classmethod
    def of(cls, row: UserRow) -> Self:
        """The wire form of a row."""
        return cls(
            id=row.id,
            organization_id=row.organization_id,
            name=row.name,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


class UserCreate(BaseModel):
    """A new user of an organization."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    organization_id: OrganizationId


class UserUpdate(BaseModel):
    """What changes; fields that are absent or null stay, as neither can be empty."""

    model_config = ConfigDict(extra="forbid")

    id: UserId
    name: Name | None = None
    organization_id: OrganizationId | None = None
