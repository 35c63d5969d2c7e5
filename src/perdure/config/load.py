"""Reading settings: arguments before the environment before the TOML file before defaults."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from perdure.config.environment import ConfigurationError, Variables, unknown_names, with_files
from perdure.config.names import CONFIG, FILE_NAME, PREFIX, all_settings, nearest, variable
from perdure.config.settings import Settings


def load_settings(environment: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
    """The effective settings. `arguments` win; those that are None count as not given."""
    given = {name: value for name, value in arguments.items() if value is not None}
    environment = with_files(os.environ if environment is None else environment)  # noqa: TID251 - the one place
    path = _file_path(environment, given)
    try:
        return _reader(environment, path)(**given).with_environment(environment)
    except ValidationError as error:
        raise ConfigurationError(" ".join(_explain(error, path))) from error


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """A sentence for each `PERDURE_…` variable that sets nothing, with the name it may mean."""
    return unknown_names(os.environ if environment is None else environment)  # noqa: TID251 - the one place


def _reader(environment: Mapping[str, str], path: Path) -> type[Settings]:
    """Settings that read these sources; `Settings` itself takes what it is given and looks nowhere."""

    class Loaded(Settings, BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix=PREFIX, env_nested_delimiter="_", env_nested_max_split=1, extra="forbid"
        )

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            *_: Any,
            **__: Any,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, Variables(settings_cls, environment), _file(settings_cls, path)

    return Loaded


def _file(settings: type[BaseSettings], path: Path) -> TomlConfigSettingsSource:
    try:
        return TomlConfigSettingsSource(settings, path)
    except ValueError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error


def _file_path(environment: Mapping[str, str], arguments: Mapping[str, Any]) -> Path:
    """Where the TOML file is, or would be: the named one, which must exist, or the one in the home."""
    if named := environment.get(CONFIG):
        if not Path(named).expanduser().is_file():
            raise ConfigurationError(f"{CONFIG} names {named}, but there is no such file.")
        return Path(named)
    home = arguments.get("home") or environment.get("PERDURE_HOME") or Settings.model_fields["home"].default
    return Path(home) / FILE_NAME


def _explain(error: ValidationError, path: Path) -> Iterator[str]:
    """A sentence for each setting that is wrong; never its value, which may be a secret."""
    known = [".".join(place) for place, _ in all_settings()]
    for fault in error.errors():
        name = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            yield f"{name} in {path} is not a setting.{nearest(name, known)}"
        else:
            also = f" ({variable(tuple(name.split('.')))})" if name in known else ""
            yield f"{name}{also}: {fault['msg'].removeprefix('Value error, ')}."
