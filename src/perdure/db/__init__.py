"""The database: two dialects, one kind of unit of work.

A unit of work is a plain synchronous function that takes a connection first and does all its SQL
in one go; `Database.read` and `Database.write` run it. Knows dialects, connections and
migrations; knows no tables of the domain.
"""

from perdure.db.database import Database, Db, connect

__all__ = ["Database", "Db", "connect"]
