"""Built-in tools by which agents look into their files. Their docstrings are what models read."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, TypedDict

from perdure.agents import store as agents
from perdure.agents.folders import opening, store
from perdure.agents.folders.limits import limits_of
from perdure.agents.folders.opening import Opening
from perdure.agents.folders.search import Found, search_files
from perdure.agents.folders.store import AgentFile
from perdure.files.embedding import FolderEmbedding
from perdure.files.grep import Match, Pattern, excerpt
from perdure.files.render import READ
from perdure.files.store import text_of
from perdure.files.views import Window, lines_of
from perdure.providers.catalog import Models
from perdure.tools.base import ToolContext, ToolFailed, tool

PAGE = 20
MOST_AROUND, MOST_FOUND, MOST_NAMED = 20, 50, 20
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FileAccess:
    """What the tools work by."""

    models: Models
    embedding: FolderEmbedding


class FileRequest(TypedDict, total=False):
    """A file to open.

    Attributes:
        file_name: The file as it is named in your directories, such as handbook/fees.md.
        offset: How many lines to leave out at the beginning; 0 if you give none.
        length: How many lines to show; all that follow if you give none.
    """

    file_name: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Searched:
    """The lines of one file that match."""

    file: AgentFile
    lines: Sequence[str]
    matches: Sequence[Match]


@tool("letta_files_core", repeatable=True)
async def open_files(
    it: FileAccess, ctx: ToolContext, file_requests: list[FileRequest], close_all_others: bool = False
) -> str:
    """Open files of your folders, whole or some lines of them: what they say is then in view for you.

    When too many are open, those that you have not looked at for longest are closed.

    Args:
        file_requests: The files to open, and which lines of each.
        close_all_others: Whether to close all other files first.

    Examples:
        open_files(file_requests=[{"file_name": "handbook/fees.md"}])
        open_files(file_requests=[{"file_name": "src/main.py", "offset": 200, "length": 100}])
    """
    agent = await ctx.db.read(agents.get, ctx.actor, ctx.agent_id)
    limits = (await limits_of(it.models, ctx.actor, [agent]))[agent.id]
    known = await ctx.db.read(store.files_of, ctx.agent_id)
    wanted = [(_named(known, request.get("file_name", "")), _window(request)) for request in file_requests]
    openings = [Opening(file.file_id, window) for file, window in wanted]
    closed = await ctx.db.write(
        opening.open_files, ctx.actor, agent.id, openings, limits.files, close_others=close_all_others
    )
    told = [f"Opened {file.path}: {_lines(file, window)}." for file, window in wanted]
    told += [f"Closed {name}: at most {limits.files} files can be open." for name in closed]
    return "\n".join(told) or "No file was named: nothing was opened."


@tool("letta_files_core", parallel=True, repeatable=True)
async def grep_files(
    it: FileAccess,
    ctx: ToolContext,
    pattern: str,
    include: str | None = None,
    context_lines: int = 1,
    offset: int = 0,
) -> str:
    """Find lines in all files of your folders, open or not, by a regular expression.

    Args:
        pattern: A regular expression (RE2: no lookaround, no backreferences), looked for within lines. Case
            counts only if the pattern has capitals.
        include: Only files whose names fit this, such as *.py or handbook/*.
        context_lines: How many lines to show before and after each.
        offset: How many matching lines to leave out, to see more than the first.

    Examples:
        grep_files(pattern="def (open|close)_file", include="*.py")
    """
    del it
    compiled, began = Pattern(pattern), time.monotonic()
    known = [file for file in await ctx.db.read(store.files_of, ctx.agent_id) if _fits(file, include)]
    found: list[Searched] = []
    left_out = 0
    for file in known:
        if time.monotonic() - began > SECONDS:
            left_out += 1
            continue
        text = await ctx.db.read(text_of, file.file_id)
        matches = await asyncio.to_thread(_within, compiled, text, began + SECONDS)
        if matches:
            found.append(Searched(file, lines_of(text), matches))
    around = max(0, min(context_lines, MOST_AROUND))
    return _grepped(found, len(known), left_out, max(0, offset), around)


@tool("letta_files_core", parallel=True, repeatable=True)
async def semantic_search_files(it: FileAccess, ctx: ToolContext, query: str, limit: int = 5) -> str:
    """Find passages in all files of your folders, open or not, by what they mean and say.

    Args:
        query: What you want to know, in words that the passage might use.
        limit: How many passages at the most.
    """
    most = max(1, min(limit, MOST_FOUND))
    found = await search_files(ctx.db, ctx.actor, it.embedding, ctx.agent_id, query, most)
    if not found:
        return "Nothing was found. Files that were just uploaded can be searched once they have been read."
    shown = "\n\n".join(_passage(number, hit) for number, hit in enumerate(found, 1))
    return f"Found {len(found)} passages, the best first.\n\n{shown}"


def _passage(number: int, hit: Found) -> str:
    return f"=== {hit.path} (passage #{number}, lines {hit.first_line} to {hit.last_line}) ===\n{hit.text}"


def _within(pattern: Pattern, text: str, deadline: float) -> list[Match]:
    matches: list[Match] = []
    found = pattern.lines(text)
    while time.monotonic() < deadline and (some := list(islice(found, 1000))):
        matches += some
    return matches


def _grepped(found: Sequence[Searched], searched: int, left_out: int, offset: int, around: int) -> str:
    total = sum(len(each.matches) for each in found)
    if not total:
        return f"No line matches in {searched} files.{_unsearched(left_out)}"
    pairs = [(each, match) for each in found for match in each.matches]
    page = pairs[offset : offset + PAGE]
    last = offset + len(page)
    more = f" Go on with offset={last}." if last < total else ""
    told = [
        f"{total} lines match in {len(found)} of {searched} files; {offset + 1} to {last} are shown.{more}"
        f"{_unsearched(left_out)}",
        *(f"- {each.file.path}: {len(each.matches)}" for each in found[:MOST_NAMED]),
    ]
    if len(found) > MOST_NAMED:
        told.append(f"- and in {len(found) - MOST_NAMED} more files")
    for each, match in page:
        told.append(f"\n=== {each.file.path}:{match.line} ===")
        told += excerpt(each.lines, match, around)
    return "\n".join(told)


def _unsearched(left_out: int) -> str:
    if not left_out:
        return ""
    return f" {left_out} files were not searched for want of time: narrow the search by `include`."


def _fits(file: AgentFile, include: str | None) -> bool:
    if file.status not in READ:
        return False
    return not include or any(fnmatchcase(name, include) for name in (file.name, file.path))


def _named(known: Sequence[AgentFile], name: str) -> AgentFile:
    """The file of this name, with or without its folder; raises `ToolFailed` naming those near."""
    by_path = {file.path: file for file in known}
    if name in by_path:
        return by_path[name]
    same = [file for file in known if file.name == name]
    if len(same) == 1:
        return same[0]
    if same:
        raise ToolFailed(f"file_name: several are named {name}: {', '.join(file.path for file in same)}.")
    near = get_close_matches(name, by_path, 3, 0.4) or list(by_path)[:3]
    hint = f"Did you mean {', '.join(near)}?" if near else "Your folders are empty."
    raise ToolFailed(f"file_name: there is no file {name!r} in your folders. {hint}")


def _window(request: FileRequest) -> Window:
    offset, length = request.get("offset") or 0, request.get("length")
    if offset < 0 or (length is not None and length < 1):
        raise ToolFailed("file_requests: offset is 0 or more, length 1 or more.")
    return Window(offset + 1, offset + length if length else None)


def _lines(file: AgentFile, window: Window) -> str:
    if file.lines is None or file.status not in READ:
        return file.error_message or "it is still being read and can be seen in a moment"
    if window.first > file.lines:
        return f"it has only {file.lines} lines, and line {window.first} was asked for"
    return f"lines {window.first} to {min(window.last or file.lines, file.lines)} of {file.lines}"


TOOLS: tuple[Any, ...] = (open_files, grep_files, semantic_search_files)
