"""What came of a call, put together from what was read and told."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

from perdure.sandbox.base import Job, Killed, MiB, Outcome, SandboxUnavailable

GARBAGE = "The code wrote something else than its result to the place of the result."
TOO_LONG = "The result is larger than the limit."
MAX_ERROR = 2000


class Said(Protocol):
    """What came through one pipe, cut to its limit."""

    @property
    def kept(self) -> bytes | bytearray: ...
    @property
    def dropped(self) -> int: ...


class Heard(Protocol):
    """All that was read of a call."""

    @property
    def stdout(self) -> Said: ...
    @property
    def stderr(self) -> Said: ...
    @property
    def result(self) -> Said: ...
    @property
    def files(self) -> Sequence[tuple[str, bytes]]: ...


def outcome(job: Job, told: Mapping[str, Any], call: Heard) -> Outcome:
    """The outcome; nothing that the inside said is believed to be well-formed.

    Raises `SandboxUnavailable` when the job could not begin.
    """
    if isinstance(told.get("failed"), str):
        raise SandboxUnavailable(f"The sandbox could not begin: {told['failed'][:MAX_ERROR]}")
    killed = _killed(told)
    value, error = (None, why(killed, job)) if killed else read_result(call.result.kept, told.get("exit"))
    if call.result.dropped and not killed:
        value, error = None, TOO_LONG
    left_out = told.get("left_out")
    dropped = call.stdout.dropped + call.stderr.dropped + call.result.dropped
    return Outcome(
        "error" if error else "success",
        value,
        error,
        killed,
        call.stdout.kept.decode(errors="replace"),
        call.stderr.kept.decode(errors="replace"),
        dropped + (left_out if isinstance(left_out, int) else 0),
        _seconds(told),
        dict(call.files),
    )


def _killed(told: Mapping[str, Any]) -> Killed | None:
    match told.get("killed"):
        case "time" | "cpu" | "memory" | "crash" as reason:
            return reason
        case None if "exit" in told:
            return None
        case _:
            return "crash"


def _seconds(told: Mapping[str, Any]) -> float:
    seconds = told.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def why(killed: Killed, job: Job) -> str:
    """A line for a reader."""
    limits = job.limits
    match killed:
        case "time":
            return f"It was stopped after {limits.wall_seconds:g} seconds."
        case "cpu":
            return f"It was stopped after {limits.cpu_seconds} seconds of processor time."
        case "memory":
            return f"It was stopped for using more than {limits.memory_bytes // MiB} MiB of memory."
        case "crash":
            return "It was stopped: it made too many processes, or its sandbox ended."


def read_result(result: bytes | bytearray, exit_code: Any) -> tuple[Any, str | None]:
    """The value, or the error: the last line that says either counts."""
    if not result.strip():
        return None, _no_result(exit_code)
    try:
        said: Any = orjson.loads(result.rstrip().rpartition(b"\n")[2])
    except orjson.JSONDecodeError:
        return None, GARBAGE
    match said:
        case {"error": str() as error, **rest} if not rest:
            return None, error[:MAX_ERROR] or "Error"
        case {"value": value, **rest} if not rest:
            return value, None
        case _:
            return None, GARBAGE


def _no_result(exit_code: Any) -> str:
    if isinstance(exit_code, int) and exit_code < 0:
        return f"The code's process was ended by signal {-exit_code}."
    return f"The code ended its process with status {exit_code}, without a result."
