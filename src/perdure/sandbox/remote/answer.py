"""A machine's answer, taken apart. Code of a tenant may have written it: nothing in it is believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from perdure.sandbox.base import Job, Limits, Outcome
from perdure.sandbox.outcome import outcome

MAX_HEAD, MARGIN = 1 << 17, 4096
PARTS = 4  # stdout, stderr, result, files


@dataclass(frozen=True, slots=True)
class Part:
    """What came through one pipe."""

    kept: bytes = b""
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Parts:
    """All that was read of a call."""

    stdout: Part = Part()
    stderr: Part = Part()
    result: Part = Part()
    files: Sequence[tuple[str, bytes]] = ()


def most(limits: Limits) -> int:
    """How long an answer can be that keeps to the limits."""
    return MAX_HEAD + 3 * limits.output_bytes + MARGIN + limits.file_bytes


def length(line: bytes) -> int:
    """How many bytes follow an answer's first line."""
    return sum(_counts(_object(line).get("sizes")))


def read_answer(job: Job, answer: bytes) -> Outcome:
    """The outcome; what cannot be read is that of a call whose machine ended under it."""
    line, _, rest = answer.partition(b"\n")
    head = _object(line)
    told, sizes, dropped = (
        _mapping(head.get("told")),
        _counts(head.get("sizes")),
        _counts(head.get("dropped")),
    )
    if len(sizes) != PARTS or len(dropped) != len(sizes) - 1 or sum(sizes) != len(rest):
        return outcome(job, {}, Parts())
    bodies: list[bytes] = []
    for size in sizes:
        bodies.append(rest[:size])
        rest = rest[size:]
    stdout, stderr, result = map(Part, bodies, dropped)
    return outcome(job, told, Parts(stdout, stderr, result, _files(bodies[3], told.get("files"))))


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        return _mapping(orjson.loads(line))
    except orjson.JSONDecodeError:
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _counts(value: Any) -> list[int]:
    """Numbers of bytes, or nothing where there is anything else among them."""
    counts = cast("list[Any]", value) if isinstance(value, list) else []
    return counts if all(type(count) is int and count >= 0 for count in counts) else []


def _files(contents: bytes, listing: Any) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in cast("list[Any]", listing) if isinstance(listing, list) else []:
        match entry:
            case [str() as name, int() as size] if 0 <= size <= len(contents):
                found.append((name, contents[:size]))
                contents = contents[size:]
            case _:
                break
    return found
