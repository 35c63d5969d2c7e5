"""Files and pages as text: by kind, in processes that may fail, a few at a time."""

import asyncio
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from perdure.documents.charset import decoded
from perdure.kit.errors import Unprocessable

READER = str(Path(__file__).with_name("reader.py"))
MOST_BYTES, MOST_CHARACTERS = 10_000_000, 2_000_000
SECONDS, MEMORY, AT_ONCE = 20, 1024 * 1024 * 1024, 2
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML_START = re.compile(
    rb"\s*(<\?xml[^>]*>\s*)?(<!--(?:(?!-->).)*-->\s*)*<(!doctype html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
TEXTS = (
    "application/json",
    "application/xml",
    "application/javascript",
    "application/yaml",
    "application/toml",
)
SUFFIXES = ("+json", "+xml", "+yaml")
UNKNOWN = ("", "application/octet-stream", "binary/octet-stream")

Kind = Literal["html", "pdf", "docx", "text"]


class Unreadable(Unprocessable):
    """There is no text to be had of it; `detail` says why."""


@dataclass(frozen=True, slots=True)
class Document:
    """The text of a file, HTML as markdown, and what it tells of itself."""

    text: str
    title: str | None = None
    author: str | None = None
    published: str | None = None


@dataclass(frozen=True, slots=True)
class Documents:
    """Reads files of strangers, each in a process of its own where a parser is needed.

    `niceness` is how far these processes stand back behind others.
    """

    seconds: float = SECONDS
    max_bytes: int = MOST_BYTES
    max_characters: int = MOST_CHARACTERS
    niceness: int = 0
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def read(
        self, content: bytes, media_type: str = "", charset: str = "", base_url: str = ""
    ) -> Document:
        """What a file says. `base_url` completes the links of a page. Raises `Unreadable`."""
        kind = kind_of(content, media_type)
        if kind is None:
            raise Unreadable(f"It is no text ({media_type or 'of an unknown type'}, {len(content)} bytes).")
        if kind == "text":
            return Document(decoded(content, charset))
        if len(content) > self.max_bytes:
            raise Unreadable(
                f"It is too large to be read: {len(content)} bytes, {self.max_bytes} at the most."
            )
        if kind == "html":
            content = decoded(content, charset, is_html=True).encode()
        async with self._places:
            told = await self._parsed(kind, content, base_url)
        if told.get("error"):
            raise Unreadable(f"It could not be read: {told['error']}.")
        fields = {name: _one_line(told.get(name)) for name in ("title", "author", "published")}
        return Document(told["text"].strip(), **fields)

    async def _parsed(self, kind: Kind, content: bytes, base_url: str) -> dict[str, Any]:
        limits = (MEMORY, int(self.seconds) + 1, self.max_characters, self.niceness)
        arguments = (kind, base_url, *map(str, limits))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", READER, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env={}
        )
        try:
            async with asyncio.timeout(self.seconds):
                told, _ = await process.communicate(content)
        except TimeoutError as error:
            raise Unreadable(f"It could not be read within {self.seconds:g} s.") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise Unreadable("It could not be read: the parser gave up on it.")
        return orjson.loads(told)


def kind_of(content: bytes, media_type: str) -> Kind | None:
    """How to read a file, by its beginning and what its sender says of it; None: there is no text in it."""
    if packed := _packed_kind(content, media_type):
        return packed
    if media_type in ("text/html", "application/xhtml+xml"):
        return "html"
    if media_type.startswith("text/") or media_type in TEXTS or media_type.endswith(SUFFIXES):
        return "text"
    if media_type not in UNKNOWN:
        return None
    if HTML_START.match(content[:2000]):
        return "html"
    return "text" if _is_text(content[:4000]) else None


def _packed_kind(content: bytes, media_type: str) -> Kind | None:
    if content.startswith(b"%PDF-") or media_type == "application/pdf":
        return "pdf"
    is_word = media_type == DOCX or (media_type in UNKNOWN and is_docx(content))
    return "docx" if is_word else None


def is_docx(content: bytes) -> bool:
    """Whether it looks like a Word document: an archive with the part that all of them have."""
    return content.startswith(b"PK\x03\x04") and b"word/document.xml" in content


def _is_text(beginning: bytes) -> bool:
    try:
        beginning.decode()
    except UnicodeDecodeError as error:
        if error.start < len(beginning) - 3:  # else a character was cut in two
            return False
    return b"\0" not in beginning


def _one_line(value: Any) -> str | None:
    return " ".join(str(value).split())[:500] or None if value else None
