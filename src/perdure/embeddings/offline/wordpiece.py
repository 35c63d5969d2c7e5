"""BERT's uncased tokens of a text: words cut into the longest pieces of a vocabulary. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

VOCABULARY = Path(__file__).with_name("vocab.txt")
LONGEST_WORD = 100
IDEOGRAPHS = re.compile(
    "([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf\U0002f800-\U0002fa1f])"
)
ASCII_WORDS = re.compile(r"[0-9a-z]+|[!-/:-@\[-`{-~]")
ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
REPLACEMENT = "\ufffd"


class WordPiece:
    """Texts as numbers of a vocabulary's pieces, without the marks around them."""

    def __init__(self, pieces: list[str]):
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        self.unknown = self._numbers["[UNK]"]
        self.start = self._numbers["[CLS]"]
        self.end = self._numbers["[SEP]"]
        self._of_word = lru_cache(50_000)(self._pieces)

    @classmethod
    def load(cls) -> "WordPiece":
        """With the vocabulary of BERT base uncased, that of MiniLM."""
        return cls(VOCABULARY.read_text(encoding="utf-8").splitlines())

    def tokens(self, text: str) -> list[int]:
        """The numbers of a text's pieces."""
        return [number for word in words(text) for number in self._of_word(word)]

    def _pieces(self, word: str) -> tuple[int, ...]:
        if len(word) > LONGEST_WORD:
            return (self.unknown,)
        found: list[int] = []
        start = 0
        while start < len(word):
            end, before = len(word), "##" if start else ""
            while end > start and (before + word[start:end]) not in self._numbers:
                end -= 1
            if end == start:
                return (self.unknown,)
            found.append(self._numbers[before + word[start:end]])
            start = end
        return tuple(found)


def words(text: str) -> Iterator[str]:
    """Words and signs in small letters and without accents."""
    if text.isascii():
        yield from ASCII_WORDS.findall(ASCII_CONTROL.sub("", text).lower())
        return
    text = IDEOGRAPHS.sub(r" \1 ", "".join(filter(_is_shown, text)))
    decomposed = unicodedata.normalize("NFD", text)
    plain = "".join(char for char in decomposed if unicodedata.category(char) != "Mn").lower()
    for word in plain.split():
        yield from _parted(word)


def _is_shown(char: str) -> bool:
    return char in "\t\n\r" or (char != REPLACEMENT and unicodedata.category(char) not in ("Cc", "Cf", "Co"))


def _parted(word: str) -> Iterator[str]:
    start = 0
    for at, char in enumerate(word):
        if _is_sign(char):
            if start < at:
                yield word[start:at]
            yield char
            start = at + 1
    if start < len(word):
        yield word[start:]


@lru_cache(10_000)
def _is_sign(char: str) -> bool:
    ascii_sign = char.isascii() and char.isprintable() and not char.isalnum() and char != " "
    return ascii_sign or unicodedata.category(char).startswith("P")
