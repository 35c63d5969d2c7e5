"""What a tool may require: packages by name, each with a version or limits of it. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

MAX_REQUIREMENTS = 50
PIP_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9,._ -]+\])?")
PIP_LIMIT = re.compile(r"(?:===?|[<>~!]=|[<>])?\s*v?[0-9](?:[A-Za-z0-9.!+_-]*[A-Za-z0-9*])?")
NPM_NAME = re.compile(r"(?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~_][A-Za-z0-9._~-]*")
NPM_VERSIONS = re.compile(r"latest|[~^<>=]*\s*[0-9*][0-9A-Za-z.+*-]*(?:\s+[~^<>=]*\s*[0-9][0-9A-Za-z.+*-]*)*")
Kind = Literal["pip", "npm"]


def requirement_line(kind: Kind, name: str, version: str | None) -> str:
    """A requirement as installers read it: `pandas==2.2`, `left-pad@1.3.0`.

    Raises `ValueError` for what is no package of an index, such as a path or a URL.
    """
    name, version = name.strip(), (version or "").strip()
    if len(name) > 200 or not (PIP_NAME if kind == "pip" else NPM_NAME).fullmatch(name):
        raise ValueError(f"{name[:60]!r} is no name of a {kind} package")
    if len(version) > 100:
        raise ValueError(f"{name}: the version is too long")
    if not version:
        return name
    if kind == "npm":
        if not NPM_VERSIONS.fullmatch(version):
            raise ValueError(f"{name}: {version!r} is no version; write `1.2.3` or `^1.2`")
        return f"{name}@{version}"
    limits = [limit.strip() for limit in version.split(",")]
    if not all(PIP_LIMIT.fullmatch(limit) for limit in limits):
        raise ValueError(f"{name}: {version!r} is no version; write `1.2.3` or `>=1.2,<2`")
    return name + ",".join(f"=={limit}" if limit[0].isalnum() else limit for limit in limits)


def requirement_lines(kind: Kind, requirements: Sequence[Mapping[str, Any]] | None) -> tuple[str, ...]:
    """The stored requirements of a tool, as installers read them."""
    return tuple(
        requirement_line(kind, requirement["name"], requirement.get("version"))
        for requirement in requirements or ()
    )
