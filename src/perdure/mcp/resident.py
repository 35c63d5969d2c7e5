"""Servers that are commands, in a sandbox: their standard streams as the SDK's. Imports the SDK."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import IO, Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from perdure.mcp.errors import McpRefused
from perdure.mcp.settings import McpSettings
from perdure.mcp.stdio import Place, environment_of
from perdure.mcp.target import Target
from perdure.sandbox.base import MiB
from perdure.sandbox.residents import HOME, TMP, Resident, Residents, Running


def resident_of(target: Target, place: Place, settings: McpSettings) -> Resident:
    """The command as a sandbox runs it."""
    commands = settings.commands
    return Resident(
        (target.command, *target.args),
        place.folder,
        place.organization_id,
        environment_of(HOME, TMP, target.env),
        shown=tuple((path, str(path)) for path in commands.paths),
        hosts=commands.hosts,
        memory_bytes=commands.memory_mb * MiB,
        processes=commands.processes,
        file_bytes=commands.files_mb * MiB,
    )


@contextlib.asynccontextmanager
async def resident_client(
    residents: Residents,
    wanted: Resident,
    stderr: IO[str],
    max_bytes: int,
    ended: Callable[[Exception | None], None],
) -> AsyncGenerator[tuple[Any, Any]]:
    """The streams to and from a command that runs as long as they are open.

    A line of more than `max_bytes` is no message, and the end: `ended` is told.
    """
    running = await residents.start(wanted, stderr, max_bytes)
    heard, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, said = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(_listen(running, heard, max_bytes, ended), name="mcp command says"),
        asyncio.create_task(_speak(running, said, heard), name="mcp command hears"),
    ]
    try:
        yield read, write
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (heard, read, write, said):
            stream.close()
        await running.close()


async def _listen(
    running: Running, heard: Any, max_bytes: int, ended: Callable[[Exception | None], None]
) -> None:
    """A message a line. What is none is told and passed over."""
    async with heard:
        while True:
            try:
                line = await running.stdout.readline()
            except ValueError:
                ended(McpRefused(f"it sent a message of more than {max_bytes} bytes"))
                return
            if not line:
                return
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError as error:
                await heard.send(error)
                continue
            await heard.send(SessionMessage(message))


async def _speak(running: Running, said: Any, heard: Any) -> None:
    """What the session sends, a line each; a command that reads no more has ended the session."""
    async with said:
        async for message in said:
            line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                running.stdin.write(line.encode() + b"\n")
                await running.stdin.drain()
            except ConnectionError:
                await heard.aclose()
                return
