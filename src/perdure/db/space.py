"""Whether a database gave up because its disk is full."""

from sqlalchemy.exc import DBAPIError

DISK_FULL = "53100"  # Postgres' code for it


def is_full(error: DBAPIError) -> bool:
    """Whether there was no room for what should be written."""
    code = getattr(error.orig, "sqlstate", None)
    return code == DISK_FULL or "database or disk is full" in str(error.orig)
