"""Runs inside the sandbox before a tool's source; what is here becomes the prelude of its job.

Standard library only, and nothing of Perdure: the server never imports it, it sends its text.
"""

import dataclasses
import datetime
import decimal
import enum
import inspect
import os
import types
import typing
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

READERS: Mapping[Any, Callable[[Any], Any]] = {
    datetime.datetime: datetime.datetime.fromisoformat,
    datetime.date: datetime.date.fromisoformat,
    datetime.time: datetime.time.fromisoformat,
    decimal.Decimal: lambda value: decimal.Decimal(str(value)),
    uuid.UUID: uuid.UUID,
}
UNIONS = (typing.Union, types.UnionType)
COLLECTIONS: Mapping[Any, Callable[[list[Any]], Any]] = {tuple: tuple, set: set, frozenset: frozenset}
PLAIN: Mapping[Any, Any] = {float: (int, float)}


class State:
    """JSON whose fields are attributes, too."""

    label: str
    value: str
    memory: "Memory"
    blocks: "list[State]"

    def __init__(self, values: Mapping[str, Any]):
        self.__dict__.update({name: _stated(value) for name, value in values.items()})

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__

    def get(self, name: str, default: Any = None) -> Any:
        """A field, or something else where there is none."""
        return self.__dict__.get(name, default)

    def model_dump(self, **_: Any) -> dict[str, Any]:
        """It as plain JSON."""
        return {name: _dumped(value) for name, value in self.__dict__.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


class Memory(State):
    """An agent's memory blocks. What a tool changes here is stored when it has returned."""

    def get_block(self, label: str) -> State:
        """The block of this label."""
        for block in self.blocks:
            if block.label == label:
                return block
        raise KeyError(f"There is no block {label!r}; there are {', '.join(self.list_block_labels())}.")

    def get_blocks(self) -> list[State]:
        """All blocks."""
        return list(self.blocks)

    def list_block_labels(self) -> list[str]:
        """The labels of all blocks."""
        return [block.label for block in self.blocks]

    def update_block_value(self, label: str, value: str) -> None:
        """Change what a block says."""
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] - hints bind nobody
            raise TypeError(f"The value of block {label!r} must be text, not {type(value).__name__}.")
        self.get_block(label).value = value


def _stated(value: Any) -> Any:
    if isinstance(value, dict):
        return State(typing.cast("dict[str, Any]", value))
    return [_stated(item) for item in typing.cast("list[Any]", value)] if isinstance(value, list) else value


def _dumped(value: Any) -> Any:
    if isinstance(value, State):
        return value.model_dump()
    return [_dumped(item) for item in typing.cast("list[Any]", value)] if isinstance(value, list) else value


class Lost(type):
    """A class, or a module, that was not sent along: hints may name it and what it is asked for."""

    def __getattr__(self, name: str) -> Any:  # noqa: N804 - a metaclass, its classes are `self`
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: Any) -> Any:  # noqa: N804
        return self


class Values(State):
    """What a caller gave where nobody knows the class any more."""

    def __init__(self, *given: Any, **named: Any):
        fields = [typing.cast("dict[str, Any]", each) for each in given if isinstance(each, dict)]
        super().__init__({**(fields[0] if fields else {}), **named})

    @classmethod
    def model_validate(cls, values: Mapping[str, Any]) -> "Values":
        """The values as attributes."""
        return cls(values)


def lost(name: str) -> Any:
    """A stand-in for a class of this name."""
    return Lost(name, (Values,), {})


def agent_state(values: Mapping[str, Any]) -> State:
    """The agent as its tools see it."""
    state = State(values)
    state.memory = Memory(values.get("memory") or {"blocks": values.get("blocks") or []})
    state.blocks = state.memory.blocks
    return state


def call(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call a tool with its arguments in the types of its hints.

    With an `agent_state`, the answer is `{"value": …, "blocks": {label: changed text}}`.
    """
    given = arguments.pop("agent_state", None) if isinstance(arguments.get("agent_state"), dict) else None
    fitted = _fitted(function, arguments)
    if given is None:
        return function(**fitted)
    state = agent_state(given)
    before = {block.label: block.value for block in state.blocks}
    value = function(**fitted, agent_state=state)
    return _awaited(value, state, before) if inspect.isawaitable(value) else _told(value, state, before)


async def _awaited(value: Any, state: State, before: Mapping[str, str]) -> Any:
    return _told(await value, state, before)


def _told(value: Any, state: State, before: Mapping[str, str]) -> Any:
    changed = {block.label: block.value for block in state.blocks if before.get(block.label) != block.value}
    return {"value": value, "blocks": changed}


def _fitted(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - hints that only a checker understands
        return dict(arguments)
    return {name: fit(hints.get(name), value) for name, value in arguments.items()}


def fit(hint: Any, value: Any) -> Any:
    """A JSON value in the type of a hint: models, enums, times, what holds them; others stay."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        return _fit_any(inner, value)
    if origin is typing.Annotated:
        return fit(inner[0], value)
    if isinstance(value, list):
        return _fit_items(hint, origin, inner, typing.cast("list[Any]", value))
    if origin is dict and isinstance(value, dict) and len(inner) == 2:
        items = typing.cast("dict[str, Any]", value)
        return {_key(inner[0], key): fit(inner[1], item) for key, item in items.items()}
    return _made(hint, value) if isinstance(hint, type) and value is not None else typing.cast("Any", value)


def _made(hint: Any, value: Any) -> Any:
    if _is(value, hint):
        return value
    if issubclass(hint, enum.Enum):
        return hint(value)
    if hint in READERS:
        return READERS[hint](value)
    if isinstance(value, dict):
        fields = typing.cast("dict[str, Any]", value)
        if validate := getattr(hint, "model_validate", None) or getattr(hint, "parse_obj", None):
            return validate(fields)
        if dataclasses.is_dataclass(hint):
            hints = typing.get_type_hints(hint)
            return typing.cast("Callable[..., Any]", hint)(
                **{name: fit(hints.get(name), item) for name, item in fields.items()}
            )
    return typing.cast("Any", value)


def _is(value: Any, kind: Any) -> bool:
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol, or a dict with named fields
        return False


def _fit_items(hint: Any, origin: Any, inner: tuple[Any, ...], value: list[Any]) -> Any:
    if origin is tuple and inner and inner[-1] is not ...:
        hints = [*inner, *[None] * len(value)]
        return tuple(fit(each, item) for each, item in zip(hints, value, strict=False))
    items = [fit(inner[0] if inner else None, item) for item in value]
    make = COLLECTIONS.get(origin or hint)
    return make(items) if make else items


def _fit_any(choices: tuple[Any, ...], value: Any) -> Any:
    """The value as the first alternative that takes it; plain ones that are it already come first."""
    for choice in choices:
        if isinstance(choice, type) and _is(value, PLAIN.get(choice, choice)):
            return value
    for choice in choices:
        try:
            made = fit(choice, value)
        except (ValueError, TypeError, ArithmeticError):
            continue
        if made is not value:
            return made
    return value


def _key(hint: Any, key: str) -> Any:
    """A key of an object, which is always text in JSON, as a number where the hint says so."""
    try:
        return hint(key) if hint in (int, float) else fit(hint, key)
    except ValueError:
        return key


def client() -> Any:
    """A client of the server that runs the tool; None without a key."""
    if not os.environ.get("LETTA_API_KEY"):  # noqa: TID251 - the guest's own
        return None
    from letta_client import Letta  # noqa: PLC0415 - only where it is used

    return Letta()
