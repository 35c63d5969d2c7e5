"""Bytes as text, in whatever character set they came: pure."""

import codecs
import re

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
IN_PAGE = re.compile(
    rb"""<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)
FIRST_BYTES = 4096
# Python has them, no page does: they take time by the square, or make text that cannot be stored.
NO_CHARSETS = frozenset(("punycode", "idna", "utf-7", "unicode-escape", "raw-unicode-escape"))


def decoded(content: bytes, charset: str = "", *, is_html: bool = False) -> str:
    """The text: by its byte order mark, as its sender says, as the page says itself, else by trying.

    What cannot be read becomes a replacement character; nothing is raised.
    """
    named = next((name for mark, name in MARKS if content.startswith(mark)), charset)
    if not named and is_html and (found := IN_PAGE.search(content[:FIRST_BYTES])):
        named = found[1].decode("ascii", "ignore")
    if named:
        try:
            return content.decode(_on_the_web(named), "replace")
        except (LookupError, ValueError):  # none of that name, or none that makes text
            pass
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("windows-1252", "replace")


def _on_the_web(name: str) -> str:
    """The codec that pages mean by a name: those that say Latin-1 or ASCII are Windows's."""
    codec = codecs.lookup(name.strip("\"' ")).name
    if codec.replace("_", "-") in NO_CHARSETS:
        raise LookupError(codec)
    return "windows-1252" if codec in ("iso8859-1", "ascii") else codec
