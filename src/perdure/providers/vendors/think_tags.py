"""Splits `<think>…</think>` at the start of an answer from its text.

Local servers without a reasoning parser leave the tags of reasoning models in the text.
"""

OPEN, CLOSE = "<think>", "</think>"


class ThinkTags:
    """Fed with text as it comes; gives `(is thinking, text)`. A tag later in the text is text."""

    def __init__(self) -> None:
        self._state = "start"
        self._held = ""

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """What of the text so far is decided."""
        if self._state == "text":
            return [(False, text)]
        self._held += text
        if self._state == "start":
            begun = self._held.lstrip()
            if OPEN.startswith(begun) and len(begun) < len(OPEN):
                return []
            if not begun.startswith(OPEN):
                self._state = "text"
                return self._release(False, len(self._held))
            self._held, self._state = begun[len(OPEN) :].lstrip("\n"), "thinking"
        return self._thinking()

    def close(self) -> list[tuple[bool, str]]:
        """What was still held back."""
        return self._release(self._state == "thinking", len(self._held))

    def _thinking(self) -> list[tuple[bool, str]]:
        end = self._held.find(CLOSE)
        if end < 0:
            return self._release(True, len(self._held) - _overlap(self._held))
        thought = self._release(True, end)
        self._state, rest = "text", self._held[len(CLOSE) :].lstrip("\n")
        self._held = ""
        return [*thought, (False, rest)] if rest else thought

    def _release(self, thinking: bool, size: int) -> list[tuple[bool, str]]:
        given, self._held = self._held[:size], self._held[size:]
        return [(thinking, given)] if given else []


def _overlap(text: str) -> int:
    """How many letters at the end of `text` may begin the closing tag."""
    return next((size for size in range(len(CLOSE) - 1, 0, -1) if text.endswith(CLOSE[:size])), 0)
