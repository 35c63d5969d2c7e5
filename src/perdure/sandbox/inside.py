"""What the inside of a sandbox is made of: an interpreter, packages, read-only folders."""

import importlib.util
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

GUEST = Path(__file__).parent / "guest"
# Packages of our own installation that jobs may import: a tool's models are pydantic's.
SHIPPED = ("pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions")
# What a tool needs that calls this server back.
CLIENT = (
    *("letta_client", "httpx", "httpcore", "h11", "anyio", "sniffio", "distro", "certifi", "idna"),
    *SHIPPED,
)
CLIENT_PRELOADED = (
    *("letta_client", "letta_client.resources.agents", "letta_client.resources.blocks"),
    *("letta_client.resources.tools", "letta_client.resources.archives", "letta_client.resources.runs"),
)
# Each megabyte that is loaded makes every fork dearer, so what few want is in a zygote of its own.
PRELOADED = (
    *("ast", "base64", "collections", "contextlib", "csv", "dataclasses", "datetime", "decimal", "enum"),
    *("fnmatch", "functools", "glob", "hashlib", "hmac", "inspect", "io", "itertools", "json", "math"),
    *("operator", "pathlib", "random", "re", "secrets", "shutil", "string", "tempfile", "textwrap", "time"),
    *("traceback", "typing", "urllib.parse", "uuid"),
)
PRELOADED_MORE = (
    *PRELOADED,
    *("asyncio", "html", "http.client", "logging", "socket", "sqlite3", "ssl", "statistics", "subprocess"),
    *("threading", "typing_extensions", "unicodedata", "urllib.request", "zoneinfo"),
    *("pydantic", "pydantic.fields", "pydantic.main", "pydantic.types"),
)
_WANTS_MORE = re.compile(
    r"\b(async|asyncio|html|http|logging|socket|sqlite3|ssl|statistics|subprocess|threading|typing_extensions"
    r"|unicodedata|urllib\.request|zoneinfo|pydantic)\b"
)


def wants_more(*sources: str) -> bool:
    """Whether sources name what only the larger zygote has loaded; guessing wrong costs an import."""
    return any(_WANTS_MORE.search(source) for source in sources)


def base_python() -> Path:
    """The interpreter that our virtual environment was made from."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def shipped(names: Iterable[str] = SHIPPED) -> tuple[Path, ...]:
    """Where these packages of our installation are; those that are missing are left out."""
    found: list[Path] = []
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec and spec.origin:
            origin = Path(spec.origin)
            found.append(origin.parent if spec.submodule_search_locations else origin)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Inside:
    """One world that calls run in; a zygote of its own for each.

    packages: modules and packages of the host, by path, that can be imported. paths: further entries of
    `sys.path`, as seen inside. mounts: files, folders and sockets of the host and where they are seen,
    read-only (Landlock cannot move them: there, both must be the same). preload: modules loaded before any
    call; what is missing is passed over. trusted: whether all that is preloaded ships with Perdure; if
    not, the zygote has no rights and filtered system calls before it loads anything, so its calls share
    their namespaces and files with each other: it must serve one organization only. network: those calls
    may have internet sockets, which reach nothing but the proxy.
    """

    python: Path = field(default_factory=base_python)
    prefix: Path = field(default_factory=lambda: Path(sys.base_prefix))
    packages: tuple[Path, ...] = field(default_factory=shipped)
    paths: tuple[str, ...] = ()
    mounts: tuple[tuple[Path, str], ...] = ()
    preload: tuple[str, ...] = PRELOADED
    trusted: bool = True
    network: bool = False
