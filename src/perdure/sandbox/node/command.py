"""How a job of JavaScript or TypeScript is executed inside a sandbox."""

from pathlib import Path

from perdure.sandbox.base import Job, MiB, SandboxUnavailable
from perdure.sandbox.node.runtime import STRIPS_TYPES, NodeRuntime

FOLDER = Path(__file__).parent
RUNNER = FOLDER / "run.mjs"
PACKAGES = "PERDURE_NODE_PACKAGES"
LEAST_HEAP = 32  # MiB; with less it does not even start
# What Node.js holds beside the heap of JavaScript.
BESIDE_HEAP = 64


def node_command(node: NodeRuntime | None, job: Job, runner: str = str(RUNNER)) -> tuple[str, ...]:
    """The program and its arguments. Raises `SandboxUnavailable` when there is none for this language."""
    if node is None:
        raise SandboxUnavailable(
            f"This server has no Node.js, which runs {_spelled(job)}: install the extra `node`."
        )
    if job.language == "typescript" and not node.typescript:
        wanted, has = (".".join(map(str, version)) for version in (STRIPS_TYPES, node.version))
        raise SandboxUnavailable(f"TypeScript needs Node.js {wanted} or newer; this server has {has}.")
    heap = max(LEAST_HEAP, job.limits.memory_bytes // MiB - BESIDE_HEAP)
    return (str(node.program), "--no-warnings", f"--max-old-space-size={heap}", "--v8-pool-size=1", runner)


def _spelled(job: Job) -> str:
    return {"javascript": "JavaScript", "typescript": "TypeScript"}.get(job.language, job.language)
