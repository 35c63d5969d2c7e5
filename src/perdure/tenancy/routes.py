"""`/v1/admin`: organizations and users, for callers who may administer the server."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from perdure.db import Db
from perdure.kit.errors import Forbidden
from perdure.kit.paging import Page, page_query
from perdure.tenancy import store
from perdure.tenancy.actor import CurrentActor
from perdure.tenancy.schemas import (
    Organization,
    OrganizationCreate,
    OrganizationId,
    OrganizationUpdate,
    User,
    UserCreate,
    UserId,
    UserUpdate,
)

Asked = Annotated[Page, page_query(limit=50, order="asc")]


async def require_admin(actor: CurrentActor) -> None:
    """Refuse callers whose key is not an administrator's."""
    if not actor.admin:
        raise Forbidden("This needs an administrator's key; `perdure keys create NAME --admin` makes one.")


router = APIRouter(prefix="/v1/admin", tags=["admin"], dependencies=[Depends(require_admin)])


@router.get("/orgs/", operation_id="list_orgs")
async def list_organizations(db: Db, page: Asked) -> list[Organization]:
    """List all organizations."""
    return [Organization.of(row) for row in await db.read(store.list_organizations, page)]


@router.post("/orgs/", operation_id="create_organization")
async def create_organization(db: Db, body: OrganizationCreate) -> Organization:
    """Create an organization."""
    privileged = bool(body.privileged_tools)
    return Organization.of(await db.write(store.create_organization, body.name, privileged_tools=privileged))


@router.patch("/orgs/", operation_id="update_organization")
async def update_organization(db: Db, org_id: OrganizationId, body: OrganizationUpdate) -> Organization:
    """Change an organization."""
    values = body.model_dump(exclude_none=True)
    return Organization.of(await db.write(store.update_organization, org_id, **values))


@router.delete("/orgs/", operation_id="delete_organization_by_id")
async def delete_organization(request: Request, db: Db, org_id: OrganizationId) -> Organization:
    """Delete an organization with everything it owns."""
    row = await db.write(store.delete_organization, org_id)
    request.app.state.authenticate.forget()
    return Organization.of(row)


@router.get("/users/", operation_id="list_users")
async def list_users(db: Db, page: Asked) -> list[User]:
    """List the users of all organizations."""
    return [User.of(row) for row in await db.read(store.list_users, page)]


@router.post("/users/", operation_id="create_user")
async def create_user(db: Db, body: UserCreate) -> User:
    """Create a user."""
    return User.of(await db.write(store.create_user, body.organization_id, body.name))


@router.put("/users/", operation_id="update_user")
async def update_user(request: Request, db: Db, body: UserUpdate) -> User:
    """Change a user."""
    values = body.model_dump(exclude_none=True, exclude={"id"})
    row = await db.write(store.update_user, body.id, **values)
    request.app.state.authenticate.forget()
    return User.of(row)


@router.delete("/users/", operation_id="delete_user")
async def delete_user(request: Request, db: Db, user_id: UserId) -> User:
    """Delete a user with its keys; what it made stays."""
    row = await db.write(store.delete_user, user_id)
    request.app.state.authenticate.forget()
    return User.of(row)
