"""Has packages installed into a folder by their own clients, which run none of the packages' code.

A client sees the system's programs, the operator's configuration of it, its cache and the folder, and
nothing else of the server, where bubblewrap works; its network is the server's, for nobody can tell which
hosts an index sends it to. Without bubblewrap it is a process with a clean environment and no more.
"""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

from perdure.sandbox.base import SandboxUnavailable
from perdure.sandbox.environments.clients import explain, npm_command, uv_command
from perdure.sandbox.environments.folder import used
from perdure.sandbox.environments.index import NO_INDEX, index_environment, is_yes, local_paths
from perdure.sandbox.environments.lines import Kind
from perdure.sandbox.node.runtime import NodeRuntime

LOOK_SECONDS = 1.0
MAX_SAID = 64 * 1024
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/run/systemd/resolve")
OF_ETC = (
    *("resolv.conf", "hosts", "nsswitch.conf", "gai.conf", "host.conf", "passwd", "group", "localtime"),
    *("ssl", "pki", "ca-certificates", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives"),
    *("uv", "xdg/uv", "npmrc"),
)
OF_USER = (".config/uv", ".npmrc", ".netrc")


class NotInstalled(SandboxUnavailable):
    """Packages that could not be had, and why."""


@dataclass(frozen=True, slots=True)
class Installer:
    """Installs packages from the operator's index. `bubblewrap` is its path, where it works."""

    environment: Mapping[str, str]
    seconds: float
    max_bytes: int
    bubblewrap: str | None = None
    node: NodeRuntime | None = None

    async def install(self, kind: Kind, lines: Sequence[str], target: Path, cache: Path) -> None:
        """Install packages into an empty folder. Raises `NotInstalled`."""
        temporary = target / ".tmp"
        temporary.mkdir()
        variables = {
            **index_environment(self.environment),
            "PATH": os.defpath,
            "HOME": self._home,
            "TMPDIR": str(temporary),
            "LANG": "C.UTF-8",
        }
        argv = [*self._client(kind, target, cache, variables), "--", *lines]
        if self.bubblewrap:
            argv = [self.bubblewrap, *self._view(variables, target, cache), "--", *argv]
        status, said = await self._run(argv, variables, target, cache)
        await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)
        if status:
            raise NotInstalled(f"{', '.join(lines)} cannot be installed: {explain(kind, said)}")

    @property
    def _home(self) -> str:
        return self.environment.get("HOME", "/")

    def _client(self, kind: Kind, target: Path, cache: Path, variables: Mapping[str, str]) -> list[str]:
        if kind == "pip":
            return uv_command(_uv(), target, cache, no_index=is_yes(variables.get(NO_INDEX)))
        if self.node is None or self.node.npm is None:
            raise NotInstalled("npm packages cannot be installed: this server has no Node.js with npm.")
        return npm_command(self.node.npm, target, cache)

    def _view(self, variables: Mapping[str, str], target: Path, cache: Path) -> Iterator[str]:
        """What a client sees of this machine, for bubblewrap."""
        yield from ("--unshare-all", "--share-net", "--die-with-parent", "--new-session", "--cap-drop", "ALL")
        yield from ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")
        home = Path(self._home)
        python = {sys.prefix, sys.base_prefix, str(Path(sys.executable).parent), str(_uv().parent)}
        node = self.node.folders if self.node else ()
        seen = [
            *(Path(path) for path in (*SYSTEM, *sorted(python))),
            *(Path("/etc") / name for name in OF_ETC),
            *(home / name for name in OF_USER),
            *(*node, *local_paths(variables)),
        ]
        for path in dict.fromkeys(seen):
            yield from ("--ro-bind-try", str(path), str(path))
        for path in (target, cache):
            yield from ("--bind", str(path), str(path))
        yield from ("--chdir", str(target))

    async def _run(
        self, argv: Sequence[str], variables: Mapping[str, str], target: Path, cache: Path
    ) -> tuple[int, str]:
        """Run a client to its end; its status, and the end of what it said. Raises `NotInstalled`."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=target,
            env=variables,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
        )
        watching = asyncio.create_task(self._watch(target, cache))
        said = asyncio.create_task(_last_words(process))
        try:
            await asyncio.wait((watching, said), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            return await process.wait(), (await said).decode(errors="replace")
        finally:
            watching.cancel()
            said.cancel()
            if process.returncode is None:
                os.killpg(process.pid, SIGKILL)
                await process.wait()

    async def _watch(self, target: Path, cache: Path) -> None:
        """Raise `NotInstalled` when it takes too long, or too much."""
        before = await asyncio.to_thread(used, cache)
        try:
            async with asyncio.timeout(self.seconds):
                while True:
                    await asyncio.sleep(LOOK_SECONDS)
                    grown = await asyncio.to_thread(used, cache) - before
                    if max(grown, await asyncio.to_thread(used, target)) > self.max_bytes:
                        raise NotInstalled(f"The packages are larger than {self.max_bytes} bytes.")
        except TimeoutError as error:
            raise NotInstalled(f"The packages were not installed within {self.seconds:g} s.") from error


async def _last_words(process: asyncio.subprocess.Process) -> bytes:
    said = b""
    if process.stdout:
        while piece := await process.stdout.read(MAX_SAID):
            said = (said + piece)[-MAX_SAID:]
    return said


def _uv() -> Path:
    import uv  # noqa: PLC0415 - only where packages are installed

    return Path(os.path.realpath(uv.find_uv_bin()))
