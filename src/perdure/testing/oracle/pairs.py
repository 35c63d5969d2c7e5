"""The rule all vendors share: every call is answered once, right behind it."""

from collections.abc import Iterable, Iterator


class Pairs:
    """Calls that wait for their returns, while a history is read from its beginning."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()
        self._known: set[str] = set()

    def ask(self, ids: Iterable[str]) -> Iterator[str]:
        """Calls are made; no id may come twice in a request."""
        for id in ids:
            if id in self._known:
                yield f"the call id {id!r} is used twice"
            self._known.add(id)
            self._waiting.add(id)

    def answer(self, ids: Iterable[str]) -> Iterator[str]:
        """Returns come."""
        for id in ids:
            if id not in self._waiting:
                yield f"a return for {id!r}, which waits for none"
            self._waiting.discard(id)

    def go_on(self) -> Iterator[str]:
        """Something else is said: nothing may wait any more."""
        if self._waiting:
            yield f"calls {sorted(self._waiting)} have no return right behind them"
        self._waiting = set()
