"""Stands for e2b's cloud: its routes and its wire, by the server's side of its own client.

Commands of a machine are executed right here, so it is for code of ours alone.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from e2b.envd.process.process_connect import Process, ProcessASGIApplication
from e2b.envd.process.process_pb import ProcessEvent, StartRequest, StartResponse
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from protobuf import Oneof

KEY = "e2b_" + "0" * 40
ID = "e2b-sandbox-id"


class Cloud:
    """The machines that were asked for; `asked` are the bodies, `ended` the ids of those that were ended."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.ended: list[str] = []
        self.folder = Path(tempfile.mkdtemp(prefix="perdure-e2b-"))
        self.app = FastAPI()
        self.app.post("/v2/sandboxes")(self.create)
        self.app.delete("/sandboxes/{id}")(self.end)
        self.app.post("/files")(self.write)
        self.app.get("/files")(self.read)
        self.app.get("/health")(lambda: Response(status_code=204))
        self.app.mount("/", ProcessASGIApplication(Commands(self)))

    def close(self) -> None:
        shutil.rmtree(self.folder)

    async def create(self, request: Request) -> Response:
        if request.headers.get("x-api-key") != KEY:
            return JSONResponse({"code": 401, "message": "Invalid API key"}, 401)
        self.asked.append(await request.json())
        machine = {"templateID": "base", "sandboxID": f"machine{len(self.asked)}", "clientID": "x"}
        return JSONResponse({**machine, "envdVersion": "0.5.7", "envdAccessToken": "token"}, 201)

    async def end(self, id: str) -> Response:
        self.ended.append(id)
        return Response(status_code=204)

    async def write(self, request: Request) -> Response:
        name = request.query_params["path"]
        async with request.form() as form:
            for file in form.values():
                self.place(request.headers[ID], name).write_bytes(await file.read())
        return JSONResponse([{"name": name, "type": "file", "path": name}])

    async def read(self, request: Request) -> Response:
        place = self.place(request.headers[ID], request.query_params["path"])
        if not place.exists():
            return JSONResponse({"code": 404, "message": "no such file"}, 404)
        return FileResponse(place)

    def place(self, machine: str, path: str) -> Path:
        """Where a file of a machine is here."""
        return self.folder / f"{machine}{path.replace('/', '-')}"


class Commands(Process):
    """Executes the commands of machines, which name files by their paths there."""

    def __init__(self, cloud: Cloud):
        self._cloud = cloud

    async def start(self, request: StartRequest, ctx: Any, /) -> AsyncIterator[StartResponse]:
        config = request.process
        line, machine = config.args[-1], ctx.request_headers[ID]
        for word in line.split():
            if word.startswith("/tmp/perdure-"):
                line = line.replace(word, str(self._cloud.place(machine, word)))
        command = [config.cmd, *config.args[:-1], line]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True
        )
        yield _event("start", ProcessEvent.StartEvent(pid=process.pid))
        _, said = await process.communicate()
        if said:
            yield _event("data", ProcessEvent.DataEvent(output=Oneof("stderr", said)))
        code = process.returncode or 0
        yield _event("end", ProcessEvent.EndEvent(exit_code=code, exited=True, status=f"exit {code}"))


def _event(kind: Any, event: Any) -> StartResponse:
    return StartResponse(event=ProcessEvent(event=Oneof(kind, event)))
