"""Reading settings: arguments before the environment before the TOML file before defaults.

Written out rather than left to `pydantic-settings`: that costs 40 ms of every start, and we want
unknown names answered with the nearest one and every error to say where the setting stands.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from perdure.config.settings import Settings
from perdure.kit.errors import PerdureError

PREFIX = "PERDURE_"
FILE = "_FILE"
CONFIG = "PERDURE_CONFIG"
FILE_NAME = "perdure.toml"
OTHERS = ("PERDURE_TEST_", "PERDURE_BENCH_", "PERDURE_DEMO_")

Place = tuple[str, ...]


class ConfigurationError(PerdureError):
    """A setting that cannot be read; says which one, where it stands and what it may be."""


def load_settings(environment: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
    """The effective settings. `arguments` win; those that are None count as not given."""
    raw = os.environ if environment is None else environment  # noqa: TID251 - the one place
    environment = _with_files(raw)
    given = {name: value for name, value in arguments.items() if value is not None}
    path = _file_path(environment, given)
    values = _merged(_merged(_read_file(path), _from_environment(environment)), given)
    try:
        return Settings.model_validate(values).with_environment(environment)
    except ValidationError as error:
        raise ConfigurationError(" ".join(_explain(error, path))) from error


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """A sentence for each `PERDURE_…` variable that sets nothing, with the name it may mean."""
    environment = os.environ if environment is None else environment  # noqa: TID251 - the one place
    known = {CONFIG, *(variable(place) for place, _ in all_settings())}
    known |= {variable(place) + FILE for place, field in all_settings() if is_secret(field)}
    return [
        f"{name} is not a setting and has no effect.{_nearest(name, known)}"
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known and not name.startswith(OTHERS)
    ]


def all_settings(model: type[BaseModel] = Settings, place: Place = ()) -> Iterator[tuple[Place, FieldInfo]]:
    """Every setting and its place in the TOML file, those of groups one by one."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, BaseModel):
            yield from all_settings(kind, (*place, name))
        else:
            yield (*place, name), field


def variable(place: Place) -> str:
    """The environment variable of a setting."""
    return PREFIX + "_".join(place).upper()


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting must not be shown."""
    return SecretStr.__name__ in str(field.annotation)


def _with_files(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with `X_FILE` read as `X`, for secrets and for providers' keys."""
    secrets = {variable(place) for place, field in all_settings() if is_secret(field)}
    read = dict(environment)
    for name, value in environment.items():
        target = name.removesuffix(FILE)
        if not value or target == name or not (target in secrets or target.endswith("_API_KEY")):
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


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for place, field in all_settings():
        text = environment.get(variable(place), "").strip()
        if text:
            group = values
            for name in place[:-1]:
                group = group.setdefault(name, {})
            group[place[-1]] = _structured(text, field, place)
    return values


def _structured(text: str, field: FieldInfo, place: Place) -> Any:
    """A variable's value: JSON for lists and tables, text that Pydantic reads for the rest."""
    if get_origin(field.annotation) not in {list, dict} or text[0] not in "[{":
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{variable(place)} is not valid JSON: {error}.") from error


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    both = {**low, **high}
    groups = [name for name in low if isinstance(low[name], dict) and isinstance(high.get(name), dict)]
    return both | {name: _merged(low[name], high[name]) for name in groups}


def _file_path(environment: Mapping[str, str], arguments: Mapping[str, Any]) -> Path | None:
    """The TOML file: the named one, or the one in the home if there is one."""
    if named := environment.get(CONFIG):
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigurationError(f"{CONFIG} names {named}, but there is no such file.")
        return path
    home = arguments.get("home") or environment.get("PERDURE_HOME") or Settings.model_fields["home"].default
    path = Path(home).expanduser() / FILE_NAME
    return path if path.is_file() else None


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from error


def _explain(error: ValidationError, path: Path | None) -> Iterator[str]:
    """A sentence for each setting that is wrong; never its value, which may be a secret."""
    known = {".".join(place) for place, _ in all_settings()}
    for fault in error.errors():
        name = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            yield f"{name} in {path} is not a setting.{_nearest(name, known)}"
        else:
            also = f" ({variable(tuple(name.split('.')))})" if name in known else ""
            yield f"{name}{also}: {fault['msg'].removeprefix('Value error, ')}."


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""
