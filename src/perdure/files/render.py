"""How folders and files stand in a prompt. Pure: the same files give the same text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from perdure.files.views import Window, view

INTRO = (
    "These are your folders and the files in them. What open files say is in view, each line with its number "
    "in the file. Open others, or other lines, with open_files; look into all of them, open or not, with "
    "grep_files (exact words and patterns) and semantic_search_files (by meaning)."
)
READ = ("embedding", "completed")
MOST_CLOSED = 100  # named in a folder; the rest is counted


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file as an agent sees it: what it is, and which lines are open, if it is."""

    id: str
    name: str
    status: str
    error_message: str | None
    characters: int
    lines: int
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class ShownFolder:
    """A folder that is attached to an agent."""

    name: str
    description: str | None
    instructions: str | None
    files: Sequence[ShownFile]


@dataclass(frozen=True, slots=True)
class Directories:
    """All folders of an agent, how many files may be open, how many characters of each are shown."""

    folders: tuple[ShownFolder, ...]
    most_open: int
    most_characters: int

    def open_ids(self) -> list[str]:
        """The files whose text is shown."""
        return [file.id for folder in self.folders for file in folder.files if file.window]


def render_directories(shown: Directories | None, texts: Mapping[str, str]) -> str:
    """The `<directories>` section; `texts` are those of open files, by id. Empty without folders."""
    if shown is None or not shown.folders:
        return ""
    folders = "\n".join(line for folder in shown.folders for line in _folder(folder, shown, texts))
    limits = (
        "<file_limits>",
        f"- current_files_open={len(shown.open_ids())}",
        f"- max_files_open={shown.most_open}",
        "</file_limits>",
    )
    return "\n".join(("<directories>", INTRO, *limits, folders, "</directories>"))


def _folder(folder: ShownFolder, shown: Directories, texts: Mapping[str, str]) -> Iterator[str]:
    yield f'<directory name="{_quoted(folder.name)}">'
    if folder.description:
        yield f"<description>\n{folder.description}\n</description>"
    if folder.instructions:
        yield f"<instructions>\n{folder.instructions}\n</instructions>"
    closed = 0
    for file in folder.files:
        closed += file.window is None
        if file.window or closed <= MOST_CLOSED:
            yield from _file(folder, file, shown.most_characters, texts.get(file.id, ""))
    if closed > MOST_CLOSED:
        yield f"<!-- {closed - MOST_CLOSED} more files are closed: find them with grep_files -->"
    yield "</directory>"


def _file(folder: ShownFolder, file: ShownFile, limit: int, text: str) -> Iterator[str]:
    name = _quoted(f"{folder.name}/{file.name}")
    if file.window is None and file.status in READ:
        yield f'<file status="closed" name="{name}" lines="{file.lines}"/>'
        return
    value = view(text, file.window or Window(), limit) if file.status in READ else _why(file)
    yield f'<file status="{"open" if file.window else "closed"}" name="{name}">'
    yield "<metadata>"
    yield "- read_only=true"
    yield f"- chars_current={len(value)}"
    yield f"- chars_limit={limit}"
    yield "</metadata>"
    yield f"<value>\n{value}\n</value>"
    yield "</file>"


def _why(file: ShownFile) -> str:
    """What is said in the place of a text that is not there."""
    if file.status == "error":
        return f"[{file.error_message or 'It could not be read.'}]"
    return "[It was just uploaded and is being read; it can be seen in a moment.]"


def _quoted(name: str) -> str:
    return name.replace('"', "'")
