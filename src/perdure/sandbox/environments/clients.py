"""uv and npm: how they are told to install packages, and what they say when they cannot. Pure."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from perdure.sandbox.environments.index import without_credentials
from perdure.sandbox.environments.lines import Kind

MAX_WORDS = 600
NPM_FLAGS = ("ignore-scripts", "no-audit", "no-fund", "no-update-notifier", "no-package-lock", "omit=dev")
NPM_NEVER = ("git", "remote", "file", "directory")  # registry packages alone, and what they depend on, too
UNREACHABLE = re.compile(
    r"failed to fetch|connect error|dns error|timed out|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN",
    re.IGNORECASE,
)
NOISE = re.compile(r"A complete log of this run|^Using CPython|^npm (warn|notice)|^Resolved|^\s*$")
NPM_SAID = {
    "E404": "a package was not found in the registry",
    "ETARGET": "there is no such version of a package",
    "ERESOLVE": "the versions contradict each other",
    "EALLOWGIT": "packages from git repositories are not allowed",
    "EALLOWREMOTE": "packages from addresses are not allowed",
}


def uv_command(uv: Path, target: Path, cache: Path, *, no_index: bool = False) -> list[str]:
    """Install wheels into a folder for the Python that runs us; never builds, which would run their code."""
    return [
        *(str(uv), "pip", "install", "--target", str(target), "--python", sys.executable),
        *("--no-build", "--no-sources", "--no-python-downloads", "--link-mode", "copy"),
        *("--no-progress", "--color", "never", "--cache-dir", str(cache / "uv")),
        *(["--no-index"] if no_index else []),
    ]


def npm_command(npm: Sequence[str], target: Path, cache: Path) -> list[str]:
    """Install packages of the registry below a folder, without running their scripts."""
    return [
        *(*npm, "install", *(f"--{flag}" for flag in NPM_FLAGS)),
        *(f"--allow-{source}=none" for source in NPM_NEVER),
        *("--loglevel=error", f"--cache={cache / 'npm'}", f"--prefix={target}"),
    ]


def explain(kind: Kind, said: str) -> str:
    """What went wrong, in a client's own words, without what is only the operator's business."""
    if UNREACHABLE.search(said):
        return "the package index cannot be reached from this server."
    lines = [line.strip() for line in said.splitlines() if not NOISE.search(line)]
    words = _of_uv(lines) if kind == "pip" else _of_npm(lines)
    return without_credentials(words)[:MAX_WORDS] or "its client gave no reason."


def _of_uv(lines: Sequence[str]) -> str:
    causes = [line.removeprefix("cause:").strip() for line in lines if line.startswith("cause:")]
    hints = [line.removeprefix("hint:").strip() for line in lines if line.startswith("hint:")]
    return " ".join([*(causes or lines), *hints])


def _of_npm(lines: Sequence[str]) -> str:
    bare = [line.removeprefix("npm error").strip() for line in lines]
    code = next((line.removeprefix("code").strip() for line in bare if line.startswith("code ")), "")
    rest = [line for line in bare if line and not line.startswith("code ")]
    known = NPM_SAID.get(code)
    return f"{known}: {rest[0]}" if known and rest else " ".join(rest)
