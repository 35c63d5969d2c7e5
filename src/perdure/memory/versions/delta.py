"""What became of a text, in few bytes: the part that changed, compressed by means of what stood there before.

Pure. A first version is what became of nothing, so it needs no form of its own.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

HEAD = struct.Struct("<II")  # how many bytes stay at the beginning, how many at the end
LEVEL = 6
RAW = -15  # deflate without header and checksum
WINDOW = 32_768  # as far as deflate looks back


def delta(before: str, after: str) -> bytes:
    """What makes `after` of `before`; `applied` does."""
    old, new = before.encode(), after.encode()
    start = alike(old, new)
    end = alike(old[start:][::-1], new[start:][::-1])
    gone = old[start : len(old) - end]
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW, zdict=gone[-WINDOW:])
    packed = packer.compress(new[start : len(new) - end]) + packer.flush()
    return HEAD.pack(start, end) + packed


def applied(before: str, change: bytes) -> str:
    """The text that a `delta` of `before` leads to."""
    old = before.encode()
    start, end = HEAD.unpack_from(change)
    gone = old[start : len(old) - end]
    made = zlib.decompressobj(RAW, zdict=gone[-WINDOW:]).decompress(change[HEAD.size :])
    return (old[:start] + made + old[len(old) - end :]).decode()


def alike(old: Sequence[Any], new: Sequence[Any]) -> int:
    """How many items both begin with; halving compares whole slices, which costs less than each item."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
