"""Virtual machines of e2b as machines: one for each job. Imports its SDK: load it when it is wanted."""

import contextlib
from collections.abc import Generator

import httpx
import orjson
from e2b import (
    AsyncSandbox,
    AuthenticationException,
    CommandExitException,
    SandboxException,
    TimeoutException,
)
from e2b.sandbox.sandbox_api import SandboxNetworkOpts

from perdure.sandbox.base import Limits, Network, SandboxUnavailable
from perdure.sandbox.remote.machines import There, there
from perdure.sandbox.remote.program import plan, program
from perdure.sandbox.settings import E2bSettings

SPARE_SECONDS = 120  # after which a machine ends by itself that nobody ended
WORK = "/tmp"
PROGRAM, JOB, ANSWER = "/tmp/perdure-program.py", "/tmp/perdure-job", "/tmp/perdure-answer"
COMMAND = f"python3 -I -B {PROGRAM} < {JOB} > {ANSWER}"
ASK_SECONDS, MAX_LINE = 60.0, 1 << 20
ALL = "0.0.0.0/0"


class E2b:
    """Machines of an account; each costs from its start to its end."""

    name = "e2b"
    attended = False

    def __init__(self, settings: E2bSettings, key: str):
        self._settings = settings
        self._key = key

    async def take(self, limits: Limits, network: Network) -> "VirtualMachine":
        with _as_ours("No machine of e2b could be started"):
            sandbox = await AsyncSandbox.create(
                self._settings.template,
                timeout=int(limits.wall_seconds) + SPARE_SECONDS,
                metadata={"made-by": "perdure"},
                allow_internet_access=bool(network.hosts),
                network=_network(network),
                api_key=self._key,
                domain=self._settings.domain,
            )
        return VirtualMachine(sandbox)

    async def close(self) -> None:
        """None waits for jobs."""
        return


class VirtualMachine:
    """One that runs."""

    def __init__(self, sandbox: AsyncSandbox):
        self._sandbox = sandbox

    async def there(self) -> There:
        try:
            said = await self._said(plan(WORK), ASK_SECONDS, MAX_LINE)
        except TimeoutError as error:
            raise SandboxUnavailable("The machine of e2b does not answer.") from error
        return there(orjson.loads(said.partition(b"\n")[0]))

    async def answer(self, asked: bytes, seconds: float, most: int) -> bytes:
        said = await self._said(plan(WORK) + asked, seconds, most + MAX_LINE)
        return said.partition(b"\n")[2]

    async def close(self) -> None:
        with contextlib.suppress(SandboxUnavailable), _as_ours("It could not be ended"):
            await self._sandbox.kill()  # if that fails, it ends by its own time

    async def _said(self, given: bytes, seconds: float, most: int) -> bytes:
        """All that the guest says to this; where it does not even begin, that is raised."""
        complaint = ""
        with _as_ours("The machine of e2b failed"):
            await self._sandbox.files.write(PROGRAM, program())
            await self._sandbox.files.write(JOB, given)
            try:
                await self._sandbox.commands.run(COMMAND, timeout=seconds)
            except CommandExitException as error:
                complaint = error.stderr or str(error)
            except TimeoutException as error:
                raise TimeoutError from error
            said = await self._read(most)
        if not said.startswith(b'{"ready": true'):
            raise SandboxUnavailable(f"The machine of e2b has no Python for our guest: {complaint[-500:]}")
        return said

    async def _read(self, most: int) -> bytes:
        said = bytearray()
        async with await self._sandbox.files.read(ANSWER, format="stream") as pieces:
            async for piece in pieces:
                said += piece
                if len(said) > most:
                    break
        return bytes(said)


def _network(network: Network) -> SandboxNetworkOpts | None:
    """The granted hosts and no other; the provider's own firewall keeps to it."""
    if not network.hosts or "*" in network.hosts:
        return None
    return {"allow_out": list(network.hosts), "deny_out": [ALL]}


@contextlib.contextmanager
def _as_ours(what: str) -> Generator[None]:
    """What the SDK raises, as ours; the key is in none of it."""
    try:
        yield
    except (SandboxException, AuthenticationException, httpx.HTTPError) as error:
        raise SandboxUnavailable(f"{what}: {str(error)[:500] or type(error).__name__}") from error
