"""The configuration reference in Markdown, made from the settings themselves.

`python -m perdure.config` prints it; `docs/configuration.md` is its output.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from perdure.config.names import FILE_NAME, Place, all_settings, is_secret, variable
from perdure.config.settings import Settings
from perdure.providers.environment import KEY_NAMES, KNOWN, URL_NAMES
from perdure.providers.settings import ModelOverride, ProviderSettings

INTRODUCTION = f"""\
# Configuration

<!-- Made by `python -m perdure.config`; change the settings' descriptions instead. -->

Every setting has a default. It may be given as an environment variable or in the file `{FILE_NAME}` in
the home (or wherever `PERDURE_CONFIG` points); variables win. `perdure doctor` shows what is in effect.

A variable marked *secret* can be replaced by one with `_FILE` at its end that names a file to read, as
container platforms mount them: `PERDURE_API_KEY_FILE=/run/secrets/key`. The same holds for the keys of
providers (`OPENAI_API_KEY_FILE`). A `PERDURE_…` variable that is no setting is reported at start, with
the nearest name.

```toml
# {FILE_NAME}
port = 8283

[database]
url = "postgresql://perdure@localhost/perdure"

[models]
default = "workstation/qwen3-32b"

[[providers]]
name = "workstation"
base_url = "http://10.0.0.7:8000/v1"
```
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_sections(), *_providers_of_the_environment()])


def _sections() -> Iterator[str]:
    settings = list(all_settings())
    yield from _section("## The server", [item for item in settings if len(item[0]) == 1 and _is_plain(item)])
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and get_origin(group) is None and issubclass(group, BaseModel):
            rows = [item for item in settings if item[0][0] == name]
            yield from _section(f"## `[{name}]`: {_title(group)}", rows)
    yield from _part(
        "[[providers]]`: a model server", ProviderSettings, "One table for each; as a variable, a JSON list."
    )
    yield from _part(
        '[models.overrides."provider/model"]`: a single model',
        ModelOverride,
        "In `PERDURE_MODELS_OVERRIDES`: JSON.",
    )


def _section(heading: str, rows: list[tuple[Place, FieldInfo]]) -> Iterator[str]:
    yield f"{heading}\n"
    yield "| Variable | In the file | Default | Meaning |\n|---|---|---|---|"
    for place, field in rows:
        secret = " *secret*" if is_secret(field) else ""
        yield (
            f"| `{variable(place)}`{secret} | `{'.'.join(place)}` | {_default(field)} "
            f"| {field.description} {_values(field)}|"
        )
    yield ""


def _part(heading: str, model: type[BaseModel], note: str) -> Iterator[str]:
    """A table that the file may hold many times."""
    yield f"## `{heading}\n\n{note}\n"
    yield "| Key | Default | Meaning |\n|---|---|---|"
    for name, field in model.model_fields.items():
        yield f"| `{name}` | {_default(field)} | {field.description} {_values(field)}|"
    yield ""


def _providers_of_the_environment() -> Iterator[str]:
    yield (
        "## Providers found in the environment\n\n"
        "These variables make providers appear by themselves; they keep their keys in the environment.\n\n"
        "| Provider | Key | Address |\n|---|---|---|"
    )
    for known in KNOWN:
        keys, urls = (
            ", ".join(f"`{prefix}_{names[0]}`" for prefix in known.variables)
            for names in (KEY_NAMES, URL_NAMES)
        )
        yield f"| `{known.name}` | {keys} | {urls} |"
    yield (
        "| `bedrock` | `BEDROCK_API_KEY`, or `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` and "
        "`AWS_REGION` | `BEDROCK_BASE_URL` |\n"
    )


def _title(model: type[BaseModel]) -> str:
    sentence = (model.__doc__ or "").strip().splitlines()[0]
    return sentence[0].lower() + sentence[1:].rstrip(".")


def _is_plain(item: tuple[Place, FieldInfo]) -> bool:
    return item[0] != ("providers",)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, SecretStr | Path):
        return f"`{value}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal or len(get_args(field.annotation)) > 6:
        return ""
    return f"One of {', '.join(f'`{value}`' for value in get_args(field.annotation))}. "
