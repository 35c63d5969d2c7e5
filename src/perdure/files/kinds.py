"""What kind of file an upload is, by its name, by what its sender says, by how it begins: pure."""

import codecs
import re
from typing import Literal

from perdure.documents.read import DOCX, kind_of
from perdure.kit.errors import PerdureError

Syntax = Literal["markdown", "pages", "code", "rows", "json", "text"]
PDF = "application/pdf"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
BY_EXTENSION = {
    "pdf": PDF,
    "docx": DOCX,
    "html": "text/html",
    "htm": "text/html",
    "xhtml": "application/xhtml+xml",
    "md": "text/markdown",
    "markdown": "text/markdown",
    "txt": "text/plain",
    "text": "text/plain",
    "log": "text/plain",
    "rst": "text/x-rst",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "ndjson": "application/jsonl",
    "ipynb": "application/json",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "toml": "application/toml",
    "css": "text/css",
    "sql": "application/sql",
    "js": "text/javascript",
    "mjs": "text/javascript",
    "py": "text/x-python",
}
CODE = frozenset(
    (
        *(
            "py",
            "pyi",
            "js",
            "mjs",
            "cjs",
            "jsx",
            "ts",
            "tsx",
            "java",
            "c",
            "h",
            "cc",
            "cpp",
            "cxx",
            "hpp",
            "cs",
        ),
        *(
            "go",
            "rs",
            "rb",
            "php",
            "swift",
            "kt",
            "kts",
            "scala",
            "clj",
            "ex",
            "exs",
            "erl",
            "hs",
            "ml",
            "lua",
        ),
        *("pl", "pm", "r", "jl", "dart", "groovy", "sh", "bash", "zsh", "fish", "ps1", "bat", "sql", "css"),
        *("scss", "less", "vue", "svelte", "proto", "graphql", "tf", "gradle", "cmake", "make", "mk", "vim"),
        *("el", "lisp", "asm", "s", "zig", "nim", "v", "sol", "dockerfile", "makefile"),
    )
)
TEXT = frozenset(
    (
        *("ini", "cfg", "conf", "env", "properties", "tex", "org", "adoc", "srt", "vtt", "ics", "eml"),
        *("diff", "patch", "lock", "gitignore"),
    )
)
MARKED = frozenset(
    ("text/markdown", "text/x-markdown", "text/html", "application/xhtml+xml", DOCX, "text/x-rst")
)
ROWS = frozenset({"text/csv", "text/tab-separated-values", "application/jsonl", "application/x-ndjson"})
UNKNOWN = frozenset({"", "application/octet-stream", "binary/octet-stream"})
TYPE = re.compile(r"[\w.+-]+/[\w.+-]+$", re.ASCII)


class Unreadable(PerdureError):
    """No text is to be had of this kind of file."""

    status = 415


def extension_of(name: str) -> str:
    """What follows the last dot, small; the whole name of a file such as `Makefile`."""
    return name.rpartition("/")[2].rpartition(".")[2].lower()


def media_type_of(name: str, declared: str, beginning: bytes) -> str:
    """The media type of an upload; raises `Unreadable` for one whose text is not read."""
    extension = extension_of(name)
    declared = declared.partition(";")[0].strip().lower()
    if known := BY_EXTENSION.get(extension):
        return known
    if extension in CODE:
        return f"text/x-{extension}"
    if extension in TEXT:
        return "text/plain"
    if declared not in UNKNOWN and TYPE.match(declared) and kind_of(beginning, declared):
        return declared
    kind = kind_of(beginning, "")
    if kind is None:
        raise Unreadable(
            f"{name}: files of this type ({declared or extension}) are not read. PDF, DOCX, HTML, Markdown, "
            "CSV, JSON, source code and plain text are."
        )
    return {"pdf": PDF, "docx": DOCX, "html": "text/html", "text": "text/plain"}[kind]


def misfit(media_type: str, beginning: bytes) -> str | None:
    """What a file is instead of what its name says; None where nothing speaks against it."""
    if media_type == DOCX and not beginning.startswith(b"PK"):
        return "it is named as a Word document and is none"
    if media_type == PDF and b"%PDF-" not in beginning[:1024]:
        return "it is named as a PDF and is none"
    if media_type not in (DOCX, PDF) and b"\0" in beginning and not beginning.startswith(UTF_16):
        return "it is named as text and is none"
    return None


def syntax_of(name: str, media_type: str) -> Syntax:
    """By what structure the text of a file is parted."""
    if media_type in MARKED:
        return "markdown"
    if media_type == PDF:
        return "pages"
    if media_type in ROWS:
        return "rows"
    if media_type == "application/json":
        return "json"
    return "code" if extension_of(name) in CODE else "text"
