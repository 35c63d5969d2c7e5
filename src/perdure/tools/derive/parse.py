"""The syntax tree of a source that others wrote, and where such sources are read."""

import ast
import asyncio
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

NAME = "<tool>"  # the file that sources are said to be of
SHORT = 4_000  # characters that are read in a few milliseconds, whatever they are

# Odd escapes in somebody's strings are no news of ours. A filter for good, since one that is taken away
# again would take away those of other threads.
warnings.filterwarnings("ignore", module=NAME)

P = ParamSpec("P")
T = TypeVar("T")


def parsed_module(source: str) -> ast.Module:
    """The tree of a module; raises what `ast.parse` raises."""
    return ast.parse(source, NAME)


def parsed_expression(text: str) -> ast.expr:
    """The tree of an expression; raises what `ast.parse` raises."""
    return ast.parse(text, NAME, "eval").body


async def aside(source: str | None, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`read(…)`, which reads that source: here where it is short, else in a thread, so that nobody waits."""
    if len(source or "") <= SHORT:
        return read(*args, **kwargs)
    return await asyncio.to_thread(read, *args, **kwargs)
