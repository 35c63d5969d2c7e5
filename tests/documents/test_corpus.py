"""The same handbook as other programs write it, and two hundred copies of it that are broken.

The broken ones are made of the good ones, always the same. Each is read by the reader's own functions in
a fork of its own: what it does to that process is seen, and starting two hundred processes is spared.
"""

import contextlib
import io
import os
import random
import signal
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.documents import reader
from perdure.documents.read import DOCX, MOST_CHARACTERS, Documents, Unreadable

CORPUS = Path(__file__).with_name("corpus")
FILES = sorted(path for path in CORPUS.iterdir() if path.suffix in (".docx", ".html", ".pdf"))
GOOD = [path for path in FILES if path.stem != "locked"]
COPIES = 200
ERROR, DIED, SECONDS = 3, 4, 10


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
async def test_what_other_programs_write_is_read(path: Path) -> None:
    text = (await Documents().read(path.read_bytes())).text  # noqa: ASYNC240
    flat = " ".join(text.replace("*", "").split())
    assert "Harbour handbook" in flat
    assert "The pilot comes aboard at buoy seven" in flat
    assert "Report ice thicker than 12 cm." in flat
    if path.suffix == ".docx":
        assert "## Winter rules" in text
    if path.suffix == ".pdf":
        assert text.startswith("[Page 1]\n")
    assert "\0" not in text


async def test_a_locked_document_says_so() -> None:
    with pytest.raises(Unreadable, match="locked by a password"):
        await Documents().read((CORPUS / "locked.pdf").read_bytes())


def bomb(size: int) -> bytes:
    """A Word document whose text is so many spaces."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("word/document.xml", b" " * size)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (bomb(reader.MOST_UNPACKED + 1), "packed to many times its size"),
        (bomb(1000), "could not be read"),
    ],
    ids=["bomb", "blank"],
)
async def test_a_packed_document_is_looked_at_before_it_is_unpacked(content: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        await Documents().read(content, DOCX)


async def test_a_document_of_entities_that_multiply_is_refused() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    xml = f'<!DOCTYPE x [<!ENTITY e0 "lol">{entities}]><w:document xmlns:w="w"><w:t>&e11;</w:t></w:document>'
    packed = io.BytesIO(bomb(0))
    with zipfile.ZipFile(packed, "w") as parts:
        parts.writestr("word/document.xml", xml)
    with pytest.raises(Unreadable, match="could not be read"):
        await Documents().read(packed.getvalue(), DOCX)


def broken(seed: int) -> tuple[str, bytes]:
    """A broken copy: its kind, and what is left of it."""
    rng = random.Random(seed)
    path = GOOD[seed % len(GOOD)]
    content = bytearray(path.read_bytes())
    match seed // len(GOOD) % 5:
        case 0:
            del content[rng.randrange(len(content)) :]
        case 1:
            for _ in range(rng.choice((1, 10, 100))):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        case 2:
            start = rng.randrange(len(content))
            content[start : start + rng.randrange(1, 3000)] = rng.randbytes(rng.randrange(2000))
        case 3:
            at = rng.randrange(len(content))
            content = content[at:] + content[:at]
        case _:
            content = bytearray(rng.choice(GOOD).read_bytes())  # another program's, under this one's name
    return path.suffix[1:], bytes(content)


def outcome(kind: str, content: bytes) -> int:
    """What became of a process that read it: 0, `ERROR` for a clear refusal, else how it died."""
    child = os.fork()
    if child == 0:
        code = DIED
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            signal.alarm(SECONDS)
            reader.limit(1024 * 1024 * 1024, SECONDS, 0)
            if kind == "html":
                content = content.decode(errors="replace").encode()
            told = reader.READERS[kind](content, "", MOST_CHARACTERS)
            code = 0 if isinstance(told["text"], str) else DIED
        except Exception as error:
            code = ERROR if str(error) or type(error).__name__ else DIED
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_two_hundred_broken_documents_are_read_or_refused() -> None:
    for path in GOOD[:2]:  # libraries are loaded once, before the forks
        reader.READERS[path.suffix[1:]](path.read_bytes(), "", MOST_CHARACTERS)
    ends = {seed: os.waitstatus_to_exitcode(outcome(*broken(seed))) for seed in range(COPIES)}
    assert {seed: end for seed, end in ends.items() if end not in (0, ERROR)} == {}
    assert sum(end == ERROR for end in ends.values()) > COPIES // 5


def samples() -> Iterator[tuple[str, bytes]]:
    for seed in range(0, COPIES, 11):
        yield broken(seed)


async def test_some_of_them_through_the_process_that_reads() -> None:
    types = {"pdf": "application/pdf", "docx": DOCX, "html": "text/html"}
    for kind, content in samples():
        with contextlib.suppress(Unreadable):
            document = await Documents(seconds=10).read(content, types[kind])
            assert isinstance(document.text, str)
