"""Routes of tools. Those that change what agents have as well are in `agents`; running them is not here."""

from fastapi import APIRouter

from perdure.tools.routes import define, lists

router = APIRouter()
for part in (define.router, lists.router):
    router.routes.extend(part.routes)
