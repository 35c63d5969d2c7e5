"""What is kept in memory of each database, so that large scopes need not be read for each search.

Nothing here is the truth: it is brought up to date, or checked against what is stored, whenever it is used.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect


class Kept(Protocol):
    """Something kept, which knows its size."""

    @property
    def size(self) -> int:
        """Roughly what it takes."""
        ...


K = TypeVar("K", bound=Kept)


class Memory:
    """The things used last, as many as fit into `most` bytes."""

    def __init__(self, most: int):
        self.most = most
        self._things: OrderedDict[Hashable, tuple[threading.Lock, Kept]] = OrderedDict()
        self._lock = threading.Lock()

    def use(self, key: Hashable, make: Callable[[], K], renew: Callable[[K], None]) -> K:
        """The thing of this key, made if need be, and renewed; one thread at a time does so."""
        with self._lock:
            held = self._things.get(key)
            if held is None:
                held = self._things[key] = (threading.Lock(), make())
            self._things.move_to_end(key)
        lock, thing = held
        with lock:
            renew(cast("K", thing))
        self._forget()
        return cast("K", thing)

    def _forget(self) -> None:
        with self._lock:
            total = sum(thing.size for _, thing in self._things.values())
            while total > self.most and len(self._things) > 1:
                _, (_, thing) = self._things.popitem(last=False)
                total -= thing.size


MEGABYTE = 1 << 20
MOST = 192 * MEGABYTE
_memories: WeakKeyDictionary[Dialect, Memory] = WeakKeyDictionary()


def memory_of(conn: Connection) -> Memory:
    """What is kept of the database of a connection. Its dialect is made with it and lives as long."""
    dialect: Any = conn.engine.dialect
    memory = _memories.get(dialect)
    return memory if memory is not None else _memories.setdefault(dialect, Memory(MOST))
