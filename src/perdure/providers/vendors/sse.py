"""Server-sent events out of bytes that arrive in any pieces."""

import re

END_OF_LINE = re.compile(rb"\r\n|\n|\r")


class SseDecoder:
    """Collects bytes; gives the data of every event that is complete. Names of events are not needed."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the events that `piece` completes."""
        block = self._rest + piece
        held = block.endswith(b"\r")  # its newline may come with the next piece
        lines = END_OF_LINE.split(block[:-1] if held else block) if b"\r" in block else block.split(b"\n")
        self._rest = lines.pop() + (b"\r" if held else b"")
        return self._events(lines)

    def close(self) -> list[bytes]:
        """The data of an event that the stream's end completes, for servers that omit the last newline."""
        rest, self._rest = self._rest.rstrip(b"\r"), b""
        return self._events([rest, b""])

    def _events(self, lines: list[bytes]) -> list[bytes]:
        done: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                done.append(b"\n".join(self._data))
                self._data = []
        return done
