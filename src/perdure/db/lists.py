"""Asking about columns that hold a JSON list of strings, in both dialects."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, and_, exists, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class json_strings(GenericFunction[Any]):  # noqa: N801 - SQL functions are lower-case
    """The elements of a list as rows, in a column named `value`."""

    inherit_cache = True


@compiles(json_strings, "sqlite")
def _on_sqlite(element: json_strings, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(json_strings, "postgresql")
def _on_postgres(element: json_strings, compiler: Any, **options: Any) -> str:
    return f"jsonb_array_elements_text({compiler.process(element.clauses, **options)})"


def has_any(column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """Whether the list has at least one of these."""
    elements = json_strings(column).table_valued("value")
    return exists().where(type_coerce(elements.c.value, String).in_(values)).correlate_except(elements)


def has_all(column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """Whether the list has every one of these."""
    return and_(*(has_any(column, [value]) for value in values))
