"""What a tool may require: names of packages and versions, nothing that could point elsewhere. Pure."""

import re
from collections.abc import Iterable
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from perdure.kit.errors import InvalidArgument

Kind = Literal["pip", "npm"]

MAX_LINES = 50
MAX_CHARS = 200
NPM_NAME = r"(@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~_][a-zA-Z0-9._~-]*"
NPM = re.compile(rf"(?P<name>{NPM_NAME})(@(?P<versions>[0-9A-Za-z.+~^<>=|* -]+))?")


class BadRequirement(InvalidArgument):
    """A requirement that is not a package of the index with its versions."""


def read_lines(kind: Kind, lines: Iterable[str]) -> tuple[str, ...]:
    """The requirements in one order and spelling, each once. Raises `BadRequirement`."""
    read = {_pip(line) if kind == "pip" else _npm(line) for line in lines if line.strip()}
    if len(read) > MAX_LINES:
        raise BadRequirement(f"A tool may require at most {MAX_LINES} packages.")
    return tuple(sorted(read))


def _pip(line: str) -> str:
    try:
        requirement = Requirement(_short(line))
    except InvalidRequirement as error:
        raise BadRequirement(
            f"{_quoted(line)} is no requirement: a package and its versions, as in `pandas>=2.2`."
        ) from error
    if requirement.url:
        raise BadRequirement(f"{_quoted(line)}: packages come from the index, not from an address.")
    requirement.name = canonicalize_name(requirement.name)
    return str(requirement)


def _npm(line: str) -> str:
    match = NPM.fullmatch(_short(line))
    if match is None:
        raise BadRequirement(
            f"{_quoted(line)} is no requirement: a package and its versions, as in `left-pad@1.3.0`."
        )
    versions = (match["versions"] or "").strip()
    return f"{match['name']}@{versions}" if versions else match["name"]


def _short(line: str) -> str:
    bare = line.strip()
    if len(bare) > MAX_CHARS or not bare.isprintable():
        raise BadRequirement(
            f"{_quoted(line)} is no requirement: it is too long, or holds control characters."
        )
    return bare


def _quoted(line: str) -> str:
    return repr(line.strip()[:60])
