"""How a job of JavaScript or TypeScript is executed inside a sandbox."""

from collections.abc import Callable
from pathlib import Path

from perdure.sandbox.base import Job, MiB, SandboxUnavailable
from perdure.sandbox.node.runtime import STRIPS_TYPES, NodeRuntime

RUNNER = Path(__file__).parent / "run.mjs"
RUNNER_INSIDE, PROGRAM_INSIDE = "/sandbox/run.mjs", "/sandbox/node"
PACKAGES = "PERDURE_NODE_PACKAGES"
LEAST_HEAP = 32  # MiB; with less it does not even start
BESIDE_HEAP = 64  # MiB that Node.js holds beside the heap of JavaScript
Seen = Callable[[Path, str], str]


def runtime_for(node: NodeRuntime | None, job: Job) -> NodeRuntime:
    """The runtime, if it is one for this job's language. Raises `SandboxUnavailable`."""
    if node is None:
        raise SandboxUnavailable(
            f"This server has no Node.js, which runs {_spelled(job)}: install the extra `node`."
        )
    if job.language == "typescript" and not node.typescript:
        wanted, has = (".".join(map(str, version)) for version in (STRIPS_TYPES, node.version))
        raise SandboxUnavailable(f"TypeScript needs Node.js {wanted} or newer; this server has {has}.")
    return node


def node_command(node: NodeRuntime, job: Job, seen: Seen = lambda path, _: str(path)) -> tuple[str, ...]:
    """The program and its arguments; `seen` tells where a file is, given its place outside and inside."""
    heap = max(LEAST_HEAP, job.limits.memory_bytes // MiB - BESIDE_HEAP)
    return (
        seen(node.program, PROGRAM_INSIDE),
        "--no-warnings",
        f"--max-old-space-size={heap}",
        "--v8-pool-size=1",
        seen(RUNNER, RUNNER_INSIDE),
    )


def _spelled(job: Job) -> str:
    return {"javascript": "JavaScript", "typescript": "TypeScript"}.get(job.language, job.language)
