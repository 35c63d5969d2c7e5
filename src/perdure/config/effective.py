"""The settings in force, as a person may be shown them."""

from collections.abc import Iterator
from functools import reduce
from typing import Any, cast

from pydantic import BaseModel, SecretStr

from perdure.config.names import all_settings, is_secret, variable
from perdure.config.settings import Settings

HIDDEN = "(set)"


def effective(settings: Settings) -> Iterator[tuple[str, str, bool]]:
    """Each setting's variable, its value without secrets, and whether somebody set it."""
    usual = Settings()
    for place, field in all_settings():
        value, default = (reduce(getattr, place, source) for source in (settings, usual))
        secret = is_secret(field) and value
        yield variable(place), HIDDEN if secret else shown(value), value != default


def shown(value: Any) -> str:
    """A value as it could be written in a variable; secrets inside it stay hidden."""
    match value:
        case None | "" | [] | {}:
            return "(not set)"
        case SecretStr():
            return HIDDEN
        case BaseModel():
            pairs = ((name, getattr(value, name)) for name in sorted(value.model_fields_set))
            return "{" + ", ".join(f"{name}: {shown(inner)}" for name, inner in pairs) + "}"
        case list():
            items = cast("list[Any]", value)
            return ", ".join(shown(item) for item in items)
        case dict():
            named = cast("dict[str, Any]", value)
            return ", ".join(f"{name}: {shown(inner)}" for name, inner in named.items())
        case _:
            return str(value).lower() if isinstance(value, bool) else str(value)
