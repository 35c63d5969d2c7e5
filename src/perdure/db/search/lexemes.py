"""The words by which a text is found, stemmed lightly. Pure; what it makes is stored.

Lexemes are made of letters and digits, in small letters and without accents, so no engine's own idea of
words matters. Names of several parts (`snake_case`, `camelCase`, `a.b@c.org`, `2026-03-31`) are found whole,
however the parts are joined, and in parts. Scripts without spaces are found by letters and pairs of them.
"""

import re
import unicodedata
from functools import lru_cache

LONGEST = 64
MOST_CHARACTERS = 200_000
SHORTEST_STEMMED = 4
SHORTEST_STEM = 3

# Accents of Latin, Greek and Cyrillic letters, points of Hebrew and Arabic ones.
ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u0652\u0670]")
APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
POSSESSIVE = re.compile(r"(?<=\w)['’]s\b", re.IGNORECASE)
# Scripts that write words without spaces: Thai, Lao, Tibetan, Myanmar, Khmer, kana, ideographs, Hangul.
UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0eff\u0f40-\u0fbc\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u3041-\u3096\u30a1-\u30fa"
    "\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
# To a regular expression the vowel signs of Indian scripts are no parts of words.
LETTER = f"(?:[^\\W_]|[\u0900-\u0963\u0966-\u0dff{UNSPACED}])"
NAME = re.compile(f"{LETTER}+(?:[_.@:/+\\-]{LETTER}+)*")
PARTS = re.compile(f"{LETTER}+")
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
RUNS = re.compile(f"[{UNSPACED}]+|[^{UNSPACED}]+")
IS_UNSPACED = re.compile(f"[{UNSPACED}]")
VOWEL = re.compile("[aeiouy]")
POINT = "\u00b7"  # in a whole between digits: 1.5 is not 15

COMMON = (
    "a an and are as at be been but by can could did do does for from had has have he her him his how i if "
    "in into is it its me my no not of on or our she so than that the their them then there these they this "
    "to us was we were what when where which who whom whose why will with would you your"
)


def lexemes(text: str) -> list[str]:
    """The lexemes of a text in its order, repeated as they are there."""
    text = text[:MOST_CHARACTERS]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", ACCENTS.sub("", unicodedata.normalize("NFKD", text)))
    if "'" in text or "’" in text:
        text = APOSTROPHE.sub("", POSSESSIVE.sub("", text))
    found: list[str] = []
    for name in NAME.findall(text):
        found += _of_name(name)
    return found


def query_lexemes(query: str) -> list[str]:
    """The lexemes to look for, each once: without the most common words, unless there are no others."""
    wanted = list(dict.fromkeys(lexemes(query)))
    telling = [lexeme for lexeme in wanted if lexeme not in COMMON_LEXEMES]
    return telling or wanted


@lru_cache(20_000)
def _of_name(name: str) -> tuple[str, ...]:
    """Of a name's parts, and of the whole where it has several."""
    if name.isalpha() and name.isascii() and (name.islower() or name[1:].islower()):
        return (stem(name.lower()[:LONGEST]),)
    parts = [part.casefold() for piece in PARTS.findall(name) for part in HUMP.split(piece)]
    found = [lexeme for part in parts for lexeme in _of_part(part)]
    if len(parts) > 1 and not IS_UNSPACED.search(name):
        found.append(stem(_whole(parts)[:LONGEST]))
    return tuple(found)


def _whole(parts: list[str]) -> str:
    whole = parts[0]
    for part in parts[1:]:
        numbers = whole[-1].isdigit() and part[0].isdigit()
        whole += POINT + part if numbers else part
    return whole


def _of_part(part: str) -> list[str]:
    found: list[str] = []
    for run in RUNS.findall(part):
        if IS_UNSPACED.match(run):
            found.extend(run)
            found.extend(run[at : at + 2] for at in range(len(run) - 1))
        else:
            found.append(stem(run[:LONGEST]))
    return found


def stem(word: str) -> str:
    """A word without the most common endings of English: `studies` and `studied` are `studi`."""
    if len(word) < SHORTEST_STEMMED or not (word.isascii() and word.isalpha()):
        return word
    word = _without_tense(_without_plural(word))
    if word.endswith("e") and len(word) > SHORTEST_STEM:
        word = word[:-1]
    if word.endswith("y") and word[-2] not in "aeiou":
        word = word[:-1] + "i"
    return word


def _without_plural(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_tense(word: str) -> str:
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= SHORTEST_STEM and VOWEL.search(rest):
            doubled = rest[-1] == rest[-2] and rest[-1] not in "lszeo"
            return rest[:-1] if doubled else rest
    return word


COMMON_LEXEMES = frozenset(stem(word) for word in COMMON.split())
