"""Rows of a query as row dataclasses."""

from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Row

R = TypeVar("R")


def picked(kind: type[R], row: Row[Any]) -> R:
    """A row dataclass of the columns it names."""
    return kind(**{name: getattr(row, name) for name in fields_of(kind)})


@cache
def fields_of(kind: type[Any]) -> tuple[str, ...]:
    """The names of a row dataclass's fields."""
    return tuple(field.name for field in fields(kind))
