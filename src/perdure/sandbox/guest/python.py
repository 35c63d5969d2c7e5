"""Runs a job's Python: a fresh module, the function called or the script run, its value as JSON."""

import ast
import linecache
import sys
import traceback
import types
from collections.abc import Awaitable, Mapping
from typing import Any, cast

from .values import text, to_json

TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
MAX_ERROR = 2000
MODULE, PRELUDE = "tool", "<prelude>"


def run(job: Mapping[str, Any]) -> bytes:
    """What came of it, as a line of JSON: `{"value": …}` or `{"error": …}`. Never raises."""
    try:
        line = to_json(_value(job))
        if len(line) > job["output_bytes"]:
            return _failure(f"ValueError: the result has {len(line)} bytes, more than {job['output_bytes']}")
        return b'{"value":' + line.encode() + b"}\n"
    except BaseException as error:  # noqa: BLE001 - the border of the job
        if isinstance(error, SystemExit) and error.code in (None, 0):
            return b'{"value":null}\n'
        return _failure(_explain(error, job))
    finally:
        _flush()


def _value(job: Mapping[str, Any]) -> Any:
    """The value of the function, or of the script's last expression."""
    name, function = (MODULE, job["function"]) if job["function"] else ("__main__", None)
    module = types.ModuleType(name)
    sys.modules[name] = module
    module.__file__ = file = _file(job)
    source: str = job["source"]
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    call = None
    if job["prelude"]:
        _run(compile(job["prelude"], PRELUDE, "exec", dont_inherit=True), module)
        call = module.__dict__.pop("__call__", None)
    if function is None:
        return _script(source, file, module)
    _run(compile(source, file, "exec", dont_inherit=True), module)
    called = getattr(module, function, None)
    if not callable(called):
        raise NameError(f"the source has no function {function!r}")
    return _finished(call(called, job["arguments"]) if call else called(**job["arguments"]))


def _script(source: str, file: str, module: types.ModuleType) -> Any:
    """All but a last expression, then that; `await` may stand anywhere."""
    tree = ast.parse(source, file)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    _finished(_run(compile(tree, file, "exec", TOP_LEVEL_AWAIT, dont_inherit=True), module))
    if not isinstance(last, ast.Expr):
        return None
    value = ast.Expression(last.value)
    return _finished(_run(compile(value, file, "eval", TOP_LEVEL_AWAIT, dont_inherit=True), module))


def _run(code: types.CodeType, module: types.ModuleType) -> Any:
    return types.FunctionType(code, module.__dict__)()


def _finished(value: Any) -> Any:
    if not isinstance(value, Awaitable):
        return value
    import asyncio  # noqa: PLC0415 - large, and few jobs have anything to await

    return asyncio.run(_awaited(cast("Awaitable[Any]", value)))


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def _file(job: Mapping[str, Any]) -> str:
    return f"<{job['function'] or 'script'}>"


def _explain(error: BaseException, job: Mapping[str, Any]) -> str:
    """One line for a reader; the traceback, of the job's own frames, goes to standard error."""
    file = _file(job)
    try:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        lines = traceback.format_list(own)
        said = traceback.format_exception_only(type(error), error)
        sys.stderr.write(
            "".join(["Traceback (most recent call last):\n", *lines, *said]) if own else said[-1]
        )
        return _line(error)
    except BaseException:  # noqa: BLE001 - its own `__str__` failed, or memory is short
        return type(error).__name__


def _line(error: BaseException) -> str:
    try:
        said = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - the job's own `__str__`
        said = "<its message cannot be shown>"
    return text(f"{type(error).__name__}: {said}" if said else type(error).__name__)[:MAX_ERROR]


def _failure(line: str) -> bytes:
    return b'{"error":' + to_json(line).encode() + b"}\n"


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001 - closed by the job, or its reader is gone
            continue
