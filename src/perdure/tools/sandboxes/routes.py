"""`/v1/sandbox-config`: how an organization's tools run, and the variables they see."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError

from perdure.db import Db
from perdure.kit.errors import Unprocessable, explain
from perdure.kit.ids import new_id
from perdure.kit.paging import Page, page_query
from perdure.tenancy.actor import Actor, CurrentActor
from perdure.tenancy.keyring import KeyRing
from perdure.tools.sandboxes import store
from perdure.tools.sandboxes.schemas import (
    MODELS,
    AnyConfig,
    E2BSandboxConfig,
    LocalSandboxConfig,
    SandboxConfig,
    SandboxConfigCreate,
    SandboxConfigId,
    SandboxConfigUpdate,
    SandboxEnvironmentVariable,
    SandboxType,
    VariableCreate,
    VariableId,
    VariableUpdate,
)
from perdure.tools.sandboxes.store import VariableRow

router = APIRouter(prefix="/v1/sandbox-config", tags=["sandbox-config"])
Asked = Annotated[Page, page_query(limit=1000, order="asc")]


@router.get("/")
async def list_sandbox_configs(
    db: Db,
    actor: CurrentActor,
    page: Asked,
    sandbox_type: Annotated[SandboxType | None, Query(description="Only of this type.")] = None,
) -> list[SandboxConfig]:
    """The organization's configurations, one for each type of sandbox."""
    return [SandboxConfig.of(row) for row in await db.read(store.list_, actor, page, sandbox_type)]


@router.post("/")
async def create_sandbox_config(db: Db, actor: CurrentActor, body: SandboxConfigCreate) -> SandboxConfig:
    """Set the configuration of a type of sandbox."""
    kind = body.type or _type_of(body.config)
    config = _checked(kind, body.config.model_dump(mode="json", exclude_unset=True))
    return SandboxConfig.of(await db.write(store.set_config, actor, kind, config))


@router.post("/local")
async def create_custom_local_sandbox_config(
    db: Db, actor: CurrentActor, body: LocalSandboxConfig
) -> SandboxConfig:
    """Set the configuration of the server's own sandbox."""
    config = body.model_dump(mode="json", exclude_none=True)
    return SandboxConfig.of(await db.write(store.set_config, actor, "local", config))


@router.post("/local/default")
async def create_default_local_sandbox_config(db: Db, actor: CurrentActor) -> SandboxConfig:
    """The configuration of the server's own sandbox; a default one where there is none."""
    return SandboxConfig.of(await db.write(store.ensure, actor, "local", _checked("local", {})))


@router.post("/e2b/default")
async def create_default_e2b_sandbox_config(db: Db, actor: CurrentActor) -> SandboxConfig:
    """The configuration of e2b sandboxes; a default one where there is none."""
    return SandboxConfig.of(await db.write(store.ensure, actor, "e2b", _checked("e2b", {})))


@router.post("/local/recreate-venv")
async def recreate_local_sandbox_venv(db: Db, actor: CurrentActor) -> SandboxConfig:
    """The configuration of the server's own sandbox, whose environments need no making anew."""
    return SandboxConfig.of(await db.write(store.ensure, actor, "local", _checked("local", {})))


@router.patch("/{sandbox_config_id}")
async def update_sandbox_config(
    sandbox_config_id: SandboxConfigId, db: Db, actor: CurrentActor, body: SandboxConfigUpdate
) -> SandboxConfig:
    """Change what a configuration says; its type stays."""
    row = await db.read(store.get, actor, sandbox_config_id)
    said = {name: value for name, value in {**row.config, **(body.config or {})}.items() if value is not None}
    return SandboxConfig.of(await db.write(store.change, actor, row.id, _checked(row.type, said)))


@router.delete("/{sandbox_config_id}", status_code=204)
async def delete_sandbox_config(sandbox_config_id: SandboxConfigId, db: Db, actor: CurrentActor) -> None:
    """Delete a configuration with its variables."""
    await db.write(store.remove, actor, sandbox_config_id)


@router.post("/{sandbox_config_id}/environment-variable")
async def create_sandbox_env_var(
    sandbox_config_id: SandboxConfigId, request: Request, db: Db, actor: CurrentActor, body: VariableCreate
) -> SandboxEnvironmentVariable:
    """Set a variable that all tools see."""
    variable_id = new_id("sandbox-env")
    values = {**body.model_dump(), "value": _seal(_ring(request), actor, variable_id, body.value)}
    row = await db.write(store.add_variable, actor, variable_id, sandbox_config_id, values)
    return SandboxEnvironmentVariable.of(row, body.value)


@router.get("/{sandbox_config_id}/environment-variable")
async def list_sandbox_env_vars(
    sandbox_config_id: SandboxConfigId, request: Request, db: Db, actor: CurrentActor, page: Asked
) -> list[SandboxEnvironmentVariable]:
    """The variables that all tools see."""
    rows = await db.read(store.variables, actor, sandbox_config_id, page)
    return [_shown(_ring(request), actor, row) for row in rows]


@router.patch("/environment-variable/{env_var_id}")
async def update_sandbox_env_var(
    env_var_id: VariableId, request: Request, db: Db, actor: CurrentActor, body: VariableUpdate
) -> SandboxEnvironmentVariable:
    """Change a variable."""
    values = body.model_dump(exclude_unset=True)
    for name in ("key", "value"):
        if values.get(name, "") is None:
            raise Unprocessable(f"{name}: it cannot be null; delete the variable instead.")
    if body.value is not None:
        values["value"] = _seal(_ring(request), actor, env_var_id, body.value)
    return _shown(_ring(request), actor, await db.write(store.change_variable, actor, env_var_id, values))


@router.delete("/environment-variable/{env_var_id}", status_code=204)
async def delete_sandbox_env_var(env_var_id: VariableId, db: Db, actor: CurrentActor) -> None:
    """Delete a variable."""
    await db.write(store.remove_variable, actor, env_var_id)


def _type_of(config: AnyConfig) -> SandboxType:
    """The type that a configuration's fields show."""
    if isinstance(config, LocalSandboxConfig):
        return "local"
    return "e2b" if isinstance(config, E2BSandboxConfig) else "modal"


def _checked(kind: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration of the type says, whole; raises `Unprocessable`."""
    try:
        return MODELS[kind].model_validate(said).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        raise Unprocessable(f"config: {explain(error.errors())}") from error


def _ring(request: Request) -> KeyRing:
    return request.app.state.keyring


def _seal(ring: KeyRing, actor: Actor, variable_id: str, value: str) -> str:
    return ring.seal(value, table=store.VARIABLES, row=variable_id, organization=actor.organization_id)


def _shown(ring: KeyRing, actor: Actor, row: VariableRow) -> SandboxEnvironmentVariable:
    value = ring.open(row.value, table=store.VARIABLES, row=row.id, organization=actor.organization_id)
    return SandboxEnvironmentVariable.of(row, value)
