"""Routes of the server itself: is it alive, is it ready."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Connection, text

import perdure
from perdure.db import Db

router = APIRouter(prefix="/v1", tags=["health"])


class Health(BaseModel):
    """Alive, and which version."""

    version: str
    status: Literal["ok"] = "ok"


@router.get("/health/")
async def health() -> Health:
    """The process answers."""
    return Health(version=perdure.__version__)


@router.get("/ready/")
async def ready(db: Db) -> Health:
    """The process and its database answer."""
    await db.read(_ping)
    return Health(version=perdure.__version__)


def _ping(conn: Connection) -> None:
    conn.execute(text("select 1"))
