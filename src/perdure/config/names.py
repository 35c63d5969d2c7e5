"""What settings are called: their places in the file and their variables in the environment."""

import difflib
from collections.abc import Iterable, Iterator
from typing import get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from perdure.config.settings import Settings

PREFIX = "PERDURE_"
CONFIG = "PERDURE_CONFIG"
FILE_NAME = "perdure.toml"

Place = tuple[str, ...]


def all_settings(model: type[BaseModel] = Settings, place: Place = ()) -> Iterator[tuple[Place, FieldInfo]]:
    """Every setting and its place in the TOML file, those of groups one by one."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, BaseModel):
            yield from all_settings(kind, (*place, name))
        else:
            yield (*place, name), field


# The one setting of a group that the group's own name stands for.
_SHORT: dict[Place, str] = {("sandbox", "mode"): "PERDURE_SANDBOX"}


def variable(place: Place) -> str:
    """The environment variable of a setting."""
    return _SHORT.get(place) or spelled_out(place)


def spelled_out(place: Place) -> str:
    """A variable that tells a setting's whole place."""
    return PREFIX + "_".join(place).upper()


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting must not be shown."""
    return SecretStr.__name__ in str(field.annotation)


VARIABLES = frozenset(variable(place) for place, _ in all_settings())
SECRETS = frozenset(variable(place) for place, field in all_settings() if is_secret(field))


def nearest(name: str, known: Iterable[str]) -> str:
    """A further sentence that asks whether the nearest name is meant, if one is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""
