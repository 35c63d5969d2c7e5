"""Settings in the environment: the variables that count, read from files where they say so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from perdure.config.names import (
    CONFIG,
    PREFIX,
    SECRETS,
    VARIABLES,
    all_settings,
    nearest,
    spelled_out,
    variable,
)
from perdure.kit.errors import PerdureError

FILE = "_FILE"
OTHERS = ("PERDURE_TEST_", "PERDURE_BENCH_", "PERDURE_DEMO_")


class ConfigurationError(PerdureError):
    """A setting that cannot be read; says which one, where it stands and what it may be."""


class Variables(EnvSettingsSource):
    """The variables that are settings, of any environment; the others are not looked at."""

    def __init__(self, settings: type[BaseSettings], environment: Mapping[str, str]):
        super().__init__(settings)
        told = {place: environment.get(variable(place), "").strip() for place, _ in all_settings()}
        self.env_vars = {spelled_out(place).lower(): text for place, text in told.items() if text}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError as error:
            name = next(variable(place) for place, _ in all_settings() if place[-1] == field_name)
            raise ConfigurationError(f"{name} is not valid JSON: {error}.") from error


def with_files(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with `X_FILE` read as `X`, for secrets and for providers' keys."""
    read = dict(environment)
    for name, value in environment.items():
        target = name.removesuffix(FILE)
        if not value or target == name or not (target in SECRETS or target.endswith("_API_KEY")):
            continue
        if environment.get(target):
            raise ConfigurationError(f"Both {target} and {name} are set; keep one of them.")
        try:
            read[target] = Path(value).read_text().strip()
        except OSError as error:
            reason = error.strerror or "unreadable"
            raise ConfigurationError(f"{name} names {value}, which cannot be read: {reason}.") from error
        del read[name]
    return read


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each `PERDURE_…` variable that sets nothing, with the name it may mean."""
    known = {CONFIG, *VARIABLES, *(name + FILE for name in SECRETS)}
    return [
        f"{name} is not a setting and has no effect.{nearest(name, known)}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known and not name.startswith(OTHERS)
    ]
