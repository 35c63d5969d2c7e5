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
    """The things used last, as many as fit into `most` bytes.

    Nobody may ask the database while holding a lock: on Postgres all units of work share a thread, and one
    that waited for a lock there would keep the one that has it from ever going on.
    """

    def __init__(self, most: int):
        self.most = most
        self._things: OrderedDict[Hashable, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], K]) -> K:
        """The thing of this key, made if need be."""
        with self._lock:
            thing = self._things.get(key)
            if thing is None:
                thing = self._things[key] = make()
            self._things.move_to_end(key)
        return cast("K", thing)

    def put(self, key: Hashable, thing: Kept) -> None:
        """Keep a thing that is new or has grown, and forget those that were used longest ago."""
        with self._lock:
            self._things[key] = thing
            self._things.move_to_end(key)
            total = sum(each.size for each in self._things.values())
            while total > self.most and len(self._things) > 1:
                _, oldest = self._things.popitem(last=False)
                total -= oldest.size


MEGABYTE = 1 << 20
MOST = 192 * MEGABYTE
_memories: WeakKeyDictionary[Dialect, Memory] = WeakKeyDictionary()


def memory_of(conn: Connection) -> Memory:
    """What is kept of the database of a connection. Its dialect is made with it and lives as long."""
    dialect: Any = conn.engine.dialect
    memory = _memories.get(dialect)
    return memory if memory is not None else _memories.setdefault(dialect, Memory(MOST))
