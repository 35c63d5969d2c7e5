"""A job as it is sent inside: a line of JSON, then the contents of its files."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import orjson

from perdure.kit.errors import InvalidArgument
from perdure.sandbox.base import Job


def write(job: Job, argv: Sequence[str]) -> int:
    """A file in memory that holds it; returns its descriptor, read from the beginning."""
    parts = _parts(job, argv)
    number = os.memfd_create("job")
    with os.fdopen(os.dup(number), "wb") as file:
        file.writelines(parts)
    os.lseek(number, 0, os.SEEK_SET)
    return number


def packed(job: Job, argv: Sequence[str]) -> bytes:
    """All of it, for a machine that shares no memory with ours."""
    return b"".join(_parts(job, argv))


def _parts(job: Job, argv: Sequence[str]) -> list[bytes]:
    check_files(job.files, job.limits.file_bytes)
    header = {
        "argv": list(argv),
        "source": job.source,
        "function": job.function,
        "prelude": job.prelude,
        "language": job.language,
        "arguments": dict(job.arguments),
        "env": dict(job.env),
        "files": [[name, len(content)] for name, content in job.files.items()],
        "output_bytes": job.limits.output_bytes,
    }
    return [_line(header), *job.files.values()]


def check_files(files: Mapping[str, bytes], most: int) -> None:
    """Refuse names that lead out of the working folder, and more than fits into it."""
    for name in files:
        path = PurePosixPath(name)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name or len(name) > 255:
            raise InvalidArgument(f"files: {name!r} is not a path below the working folder.")
    total = sum(map(len, files.values()))
    if total > most:
        raise InvalidArgument(f"files: {total} bytes are more than the {most} that a job may keep in files.")


def _line(header: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # integers of any length, halves of surrogate pairs
        return json.dumps(header).encode() + b"\n"
