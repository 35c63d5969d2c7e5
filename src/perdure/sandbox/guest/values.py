"""Any Python value as JSON; what JSON cannot say, as its `str`."""

import base64
import dataclasses
import enum
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from typing import Any, cast

MAX_DEPTH = 200
_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1  # what readers of JSON can be trusted with


def to_json(value: Any) -> str:
    """One line of ASCII. Raises ValueError when it is nested too deeply, or in itself."""
    return json.dumps(plain(value), allow_nan=False, separators=(",", ":"))


def plain(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - a case for each type
    """The value made of nothing but dicts, lists, text, numbers, booleans and None."""
    if depth > MAX_DEPTH:
        raise ValueError(f"the value is nested more than {MAX_DEPTH} deep, or contains itself")
    match value:
        case None | True | False:
            return value
        case enum.Enum():
            return plain(value.value, depth + 1)
        case str():
            return text(value)
        case int():
            return int(value) if _SMALLEST <= value <= _LARGEST else _digits(value)
        case float():
            return float(value) if math.isfinite(value) else str(value)
        case Mapping():
            items = cast("Iterable[tuple[Any, Any]]", value.items())  # pyright: ignore[reportUnknownMemberType]
            return {_name(key): plain(item, depth + 1) for key, item in items}
        case list() | tuple() if not hasattr(value, "_asdict"):  # pyright: ignore[reportUnknownArgumentType]
            return [plain(item, depth + 1) for item in cast("Iterable[Any]", value)]
        case _:
            return _rich(value, depth)


def text(value: str) -> str:
    """Text that UTF-8 can say: halves of surrogate pairs become `?`."""
    return str(value) if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _rich(value: Any, depth: int) -> Any:  # noqa: PLR0911 - a case for each type
    """What is more than JSON: models, dataclasses, sets, dates, bytes, arrays."""
    if isinstance(value, bytes | bytearray):
        return _bytes(bytes(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, type):
        return str(value)
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name), depth + 1) for field in fields}
    for method, given in (("model_dump", {"mode": "json"}), ("_asdict", {}), ("tolist", {})):
        make: Callable[..., Any] | None = getattr(value, method, None)
        if callable(make):
            return plain(make(**given), depth + 1)
    if type(value).__module__ in ("builtins", "collections") and hasattr(value, "__len__"):
        return [plain(item, depth + 1) for item in _ordered(value)]  # sets, views, ranges, deques
    return text(str(value))


def _name(key: Any) -> str:
    """A key as JSON's writers spell it."""
    if isinstance(key, enum.Enum):
        key = key.value
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return text(key if isinstance(key, str) else str(key))


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # longer than Python wants to write
        return hex(value)


def _bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _ordered(values: Iterable[Any]) -> Iterable[Any]:
    """Sets have an order of chance; those that can be are sorted."""
    if not isinstance(values, set | frozenset):
        return values
    try:
        return sorted(values)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    except TypeError:
        return values  # pyright: ignore[reportUnknownVariableType]
