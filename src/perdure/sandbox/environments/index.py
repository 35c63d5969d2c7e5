"""Which index packages come from: what the operator has set for uv, pip and npm, as variables for them."""

import configparser
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
NO_INDEX = "UV_NO_INDEX"  # ours: uv has an option for it, and no variable
OWN_INDEX = (*INDEXES, NO_INDEX)
# What uv calls the things that pip has settings for.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": NO_INDEX,
    "cert": "SSL_CERT_FILE",
}
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
NETWORK = (*PROXIES, *(name.lower() for name in PROXIES))
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "NETRC")
NOT_OURS = ("UV_TARGET", "UV_PYTHON", "UV_CACHE_DIR", "UV_PROJECT", "UV_WORKING_DIR", "UV_PREFIX")
CREDENTIALS = re.compile(r"://[^/\s@]*@")


def index_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Of the server's environment, what package clients need, and no secret of another kind.

    Without an index of uv's own, what pip is told counts: its variables before its files.
    """
    found = {name: environment[name] for name in (*NETWORK, *CERTIFICATES) if name in environment}
    for name, value in environment.items():
        prefixed = name.startswith("UV_") or name.lower().startswith("npm_config_")
        if prefixed and name not in NOT_OURS:
            found[name] = value
    if not any(name in found for name in OWN_INDEX):
        for option, value in _pip_options(environment).items():
            separator = "," if option == "find-links" else " "
            found.setdefault(UV_NAMES[option], separator.join(value.split()))
    return found


def local_paths(variables: Mapping[str, str]) -> list[Path]:
    """The files and folders that these variables name: certificates, and indexes on this machine."""
    words = [variables[name] for name in CERTIFICATES if name in variables]
    for name in INDEXES:
        for word in variables.get(name, "").replace(",", " ").split():
            if word.startswith("file:"):
                words.append(str(Path(unquote(urlsplit(word).path)).parent))  # an index links to its side
            elif word.startswith("/"):
                words.append(word)
    return [Path(word) for word in words if Path(word).exists()]


def is_yes(value: str | None) -> bool:
    """Whether a variable that is a switch is on."""
    return (value or "").lower() in ("1", "true", "yes", "on", "y", "t")


def _pip_options(environment: Mapping[str, str]) -> dict[str, str]:
    """The options of pip that say where packages are, from its files, then its variables."""
    options: dict[str, str] = {}
    for path in _pip_files(environment):
        options |= _of_file(path)
    for option in UV_NAMES:
        if value := environment.get(f"PIP_{option.replace('-', '_').upper()}"):
            options[option] = value
    return options


def _of_file(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text())
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}  # pip itself will have complained
    sections = [section for section in ("global", "install") if parser.has_section(section)]
    pairs = (
        (option.replace("_", "-"), value) for section in sections for option, value in parser.items(section)
    )
    return {option: value for option, value in pairs if option in UV_NAMES and value}


def _pip_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where pip looks for its configuration, what counts most last."""
    named = environment.get("PIP_CONFIG_FILE")
    if named == "/dev/null":
        return
    for folder in _config_dirs(environment):
        yield folder / "pip/pip.conf"
    yield Path("/etc/pip.conf")
    if home := environment.get("HOME"):
        yield Path(home) / ".pip/pip.conf"
        yield Path(environment.get("XDG_CONFIG_HOME", f"{home}/.config")) / "pip/pip.conf"
    if named:
        yield Path(named)


def _config_dirs(environment: Mapping[str, str]) -> Iterable[Path]:
    return map(Path, reversed(environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")))


def without_credentials(text: str) -> str:
    """A text without the users and passwords of its URLs."""
    return CREDENTIALS.sub("://", text)
