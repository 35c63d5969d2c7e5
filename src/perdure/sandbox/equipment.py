"""What jobs need beyond plain Python: packages, other languages, a network.

A world that loads what tenants require has no rights from its start, and serves one organization with one
grant of network. In the others each call gets its own: they run nothing of a tenant's before it, for
Node.js is executed anew each time.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from perdure.sandbox.backends import Backend
from perdure.sandbox.base import Job, Outcome, SandboxUnavailable
from perdure.sandbox.bubblewrap import binaries
from perdure.sandbox.egress.proxy import Egress, proxy_environment
from perdure.sandbox.environments.environments import Environments
from perdure.sandbox.inside import (
    CLIENT,
    CLIENT_PRELOADED,
    PRELOADED_MORE,
    SHIPPED,
    Inside,
    shipped,
    wants_more,
)
from perdure.sandbox.node.command import (
    PACKAGES,
    PROGRAM_INSIDE,
    RUNNER,
    RUNNER_INSIDE,
    node_command,
    runtime_for,
)
from perdure.sandbox.node.runtime import NodeRuntime, find_node
from perdure.sandbox.settings import SandboxSettings
from perdure.sandbox.surroundings import Surroundings
from perdure.sandbox.worlds import World, Worlds
from perdure.sandbox.zygote import Slots, Zygote

NO_NETWORK = (
    "This sandbox grants a network to tools in Python alone; bubblewrap does to all, "
    "and docs/sandbox.md tells what it needs."
)
ENVIRONMENT = "/sandbox/environment"
NO_FOLDER = "Packages cannot be installed: the sandbox has no folder for them."


class Equipment:
    """Runs jobs of all kinds in a backend; `plain` is its zygote for plain Python."""

    def __init__(
        self, backend: Backend, slots: Slots, plain: Zygote, settings: SandboxSettings, around: Surroundings
    ):
        self._backend = backend
        self._slots = slots
        self._plain = plain
        self._settings = settings
        self._around = around
        self._node: NodeRuntime | None = None
        self._looked_for_node = asyncio.Lock()
        self._environments: Environments | None = None
        self._worlds = Worlds(settings.environments.warm)

    async def run(self, job: Job) -> Outcome:
        """Run a job; raises `SandboxUnavailable` when something it needs is not to be had."""
        if job.network and self._backend.brokered and job.language != "python":
            raise SandboxUnavailable(NO_NETWORK)
        if job.language != "python":
            return await self._run_node(job)
        if job.requirements.pip:
            return await self._run_packages(job)
        if job.network.server:
            async with self._worlds.use("client", self._client_world) as world:
                return await self._run(world.zygote, job)
        if wants_more(job.source, job.prelude):
            async with self._worlds.use("python", self._larger) as world:
                return await self._run(world.zygote, job)
        return await self._run(self._plain, job)

    async def close(self) -> None:
        """End all worlds."""
        await self._worlds.close()
        if self._environments:
            await self._environments.close()

    async def _run(self, zygote: Zygote, job: Job, argv: Sequence[str] = ()) -> Outcome:
        """A call with a network of its own, if it was granted one."""
        if not job.network or not self._backend.proxied:
            return await zygote.run(job, argv=argv)
        egress = self._egress(job)
        try:
            done = await zygote.run(_with_proxy(job), argv=argv, listen=egress.listen)
            return _with_refusals(done, egress.refused())
        finally:
            await egress.close()

    async def _run_packages(self, job: Job) -> Outcome:
        environments, lines = await self._open_environments(), job.requirements.pip
        key = environments.key(job.organization_id, "pip", lines)
        grant = f" {job.network.hosts} {job.network.server}" if job.network else ""
        async with self._worlds.use(f"{key}{grant}", partial(self._packages, job, environments)) as world:
            if world.egress is None:
                return await self._run(world.zygote, job)
            with world.egress.call() as refused:
                return _with_refusals(await world.zygote.run(_with_proxy(job)), refused())

    async def _client_world(self) -> World:
        """A world for tools that call this server back: with its client, which ships with us, in memory."""
        inside = Inside(packages=shipped(CLIENT), preload=(*PRELOADED_MORE, *CLIENT_PRELOADED))
        return World(self._backend.zygote(inside, self._slots))

    async def _larger(self) -> World:
        """Plain Python that has loaded more."""
        return World(self._backend.zygote(Inside(preload=PRELOADED_MORE), self._slots))

    async def _packages(self, job: Job, environments: Environments) -> World:
        """A world with packages of Python; nothing is loaded in advance where it cannot be without rights."""
        environment = await environments.take(job.organization_id, "pip", job.requirements.pip)
        seen, confined = self._seen(environment.folder, ENVIRONMENT), self._backend.confines_zygotes
        own = shipped(CLIENT if job.network.server else SHIPPED)
        mounts = ((environment.folder, seen),)
        inside = Inside(packages=own, paths=(seen,), mounts=mounts, preload=PRELOADED_MORE)
        if confined:
            preload = (*inside.preload, *environment.modules)
            inside = replace(inside, trusted=False, preload=preload, network=bool(job.network))
        shared = confined and job.network and not self._backend.brokered
        egress = self._egress(job) if shared else None
        if egress is None:
            return World(self._backend.zygote(inside, self._slots), release=environment.release)
        zygote = self._backend.zygote(inside, self._slots, egress.listen)
        return World(zygote, egress, environment.release)

    async def _run_node(self, job: Job) -> Outcome:
        node = runtime_for(await self._find_node(), job)
        argv = node_command(node, job, self._seen)
        if not job.requirements.npm:
            async with self._worlds.use("node", partial(self._node_world, node)) as world:
                return await self._run(world.zygote, job, argv)
        environments = await self._open_environments()
        key = environments.key(job.organization_id, "npm", job.requirements.npm)
        packages = self._seen(environments.folder(key), ENVIRONMENT)
        job = replace(job, env={**job.env, PACKAGES: f"{packages}/node_modules"})
        make = partial(self._npm_world, node, job, environments)
        async with self._worlds.use(key, make) as world:
            return await self._run(world.zygote, job, argv)

    async def _npm_world(self, node: NodeRuntime, job: Job, environments: Environments) -> World:
        environment = await environments.take(job.organization_id, "npm", job.requirements.npm)
        world = await self._node_world(node, environment.folder)
        return replace(world, release=environment.release)

    async def _node_world(self, node: NodeRuntime, folder: Path | None = None) -> World:
        shown = [(RUNNER, RUNNER_INSIDE), (node.program, PROGRAM_INSIDE)]
        shown += [(folder, ENVIRONMENT)] if folder else []
        mounts = tuple((path, self._seen(path, inside)) for path, inside in shown)
        return World(self._backend.zygote(Inside(packages=(), mounts=mounts, preload=()), self._slots))

    def _seen(self, path: Path, inside: str) -> str:
        """Where something of ours is inside: at a place of its own if that can be."""
        return inside if self._backend.mounts else str(path)

    def _egress(self, job: Job) -> Egress:
        return Egress(job.network, self._settings.egress, self._around.networks)

    async def _find_node(self) -> NodeRuntime | None:
        async with self._looked_for_node:
            if self._node is None:
                path = self._around.environment.get("PATH")
                self._node = await asyncio.to_thread(find_node, self._settings.node, path)
            return self._node

    async def _open_environments(self) -> Environments:
        if self._around.folder is None:
            raise SandboxUnavailable(NO_FOLDER)
        if self._environments is None:
            node = await self._find_node()
            bwrap = binaries()[0] if self._backend.name == "bubblewrap" else None
            self._environments = Environments(
                self._around.folder, self._settings.environments, self._around.environment, bwrap, node
            )
        return self._environments


def _with_refusals(done: Outcome, refused: Sequence[str]) -> Outcome:
    """The outcome with what its proxy refused, at the end of standard error."""
    if not refused:
        return done
    lines = "".join(f"network: {words}\n" for words in refused)
    return replace(done, stderr=f"{done.stderr}{lines}")


def _with_proxy(job: Job) -> Job:
    return replace(job, env={**job.env, **proxy_environment()})
