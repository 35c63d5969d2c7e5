"""Environments: the packages that a tool requires, in a folder that its sandbox may read.

One per organization, set of requirements, Python and kind of machine; an organization cannot see which
packages another one has. Whoever wants one that is being built waits for the same build.
"""

import asyncio
import hashlib
import json
import platform
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from perdure.kit.shared import Shared
from perdure.sandbox.environments.folder import Folder, Hold, used
from perdure.sandbox.environments.install import Installer, NotInstalled
from perdure.sandbox.environments.lines import Kind, read_lines
from perdure.sandbox.environments.modules import modules_of
from perdure.sandbox.node.runtime import NodeRuntime
from perdure.sandbox.settings import EnvironmentSettings

FACTS = "perdure.json"
FORGET_FAILURE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Environment:
    """A folder with packages: on the path of Python, or with `node_modules` in it. Nobody writes to it.

    `modules` are those that the required packages are imported by, to be loaded in advance.
    """

    key: str
    folder: Path
    modules: tuple[str, ...]
    hold: Hold

    def release(self) -> None:
        """It is no longer in use."""
        self.hold.release()


class Environments:
    """The environments below a folder, and the builds under way."""

    def __init__(
        self,
        folder: Path,
        settings: EnvironmentSettings,
        environment: Mapping[str, str],
        bubblewrap: str | None = None,
        node: NodeRuntime | None = None,
    ):
        self._folder = Folder(folder)
        self._settings = settings
        self._installer = Installer(environment, settings.seconds, settings.max_bytes, bubblewrap, node)
        self._runtime = {"pip": platform.python_version(), "npm": str(node.version) if node else ""}
        self._building: Shared[None] = Shared("environment")
        self._turn = asyncio.Semaphore(settings.builds)
        self._failed: dict[str, tuple[float, NotInstalled]] = {}

    async def take(self, organization_id: str, kind: Kind, lines: Sequence[str]) -> Environment:
        """An environment with these packages, in use until its `release`; built when it is not there.

        Raises `BadRequirement` for lines that are none, `NotInstalled` for packages not to be had.
        """
        wanted = read_lines(kind, lines)
        key = self.key(organization_id, kind, wanted)
        while (hold := await asyncio.to_thread(self._folder.hold, key)) is None:
            await self._building.get(key, lambda: self._build(key, kind, wanted))
        facts = json.loads(await asyncio.to_thread((hold.path / FACTS).read_text))
        return Environment(key, hold.path, tuple(facts["modules"]), hold)

    def folder(self, key: str) -> Path:
        """Where an environment is, or will be."""
        return self._folder.root / key

    @asynccontextmanager
    async def use(
        self, organization_id: str, kind: Kind, lines: Sequence[str]
    ) -> AsyncGenerator[Environment]:
        """`take`, and `release` in the end."""
        environment = await self.take(organization_id, kind, lines)
        try:
            yield environment
        finally:
            environment.release()

    async def close(self) -> None:
        """Stop what is being built."""
        await self._building.close()

    def key(self, organization_id: str, kind: Kind, lines: Sequence[str]) -> str:
        """What an environment with these packages is named by. Raises `BadRequirement`."""
        wanted = read_lines(kind, lines)
        made_of = [organization_id, kind, self._runtime[kind], sys.platform, platform.machine(), *wanted]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    async def _build(self, key: str, kind: Kind, lines: Sequence[str]) -> None:
        if (failed := self._failed.get(key)) and time.monotonic() - failed[0] < FORGET_FAILURE_SECONDS:
            raise NotInstalled(failed[1].detail)
        async with self._turn:
            self._failed.pop(key, None)
            try:
                await self._install(key, kind, lines)
            except NotInstalled as error:
                self._failed[key] = (time.monotonic(), error)
                raise
        await asyncio.to_thread(self._folder.make_room, self._settings.disk_bytes, key)

    async def _install(self, key: str, kind: Kind, lines: Sequence[str]) -> None:
        await asyncio.to_thread(self._folder.prepare)
        draft = await asyncio.to_thread(self._folder.begin, key)
        if draft is None:
            return  # another server has built it meanwhile
        try:
            await self._installer.install(kind, lines, draft.path, self._folder.cache)
            await asyncio.to_thread(_finish, draft.path, kind, lines, self._settings.max_bytes)
            draft.keep()
        finally:
            await asyncio.to_thread(draft.close)


def _finish(draft: Path, kind: Kind, lines: Sequence[str], max_bytes: int) -> None:
    """Note what is known of an environment. Raises `NotInstalled` when it is too large."""
    if used(draft) > max_bytes:
        raise NotInstalled(f"{', '.join(lines)} cannot be installed: more than {max_bytes} bytes.")
    modules = modules_of(draft, lines) if kind == "pip" else []
    (draft / FACTS).write_text(json.dumps({"requirements": lines, "modules": modules}))
