"""Where a server is and what it is shown, in clear and with an agent's secrets filled in. Pure."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson

from perdure.kit.errors import InvalidArgument
from perdure.mcp.templates import asks, filled, names_in

Kind = Literal["stdio", "sse", "streamable_http"]
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SECRET_NAME = re.compile(r"(?i)auth|token|key|secret|pass|cred|cookie")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class MissingSecret(InvalidArgument):
    """A server wants a secret of the agent's that there is not."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What of a server's configuration is sealed."""

    auth_token: str | None = field(default=None, repr=False)
    custom_headers: Mapping[str, str] | None = field(default=None, repr=False)
    env: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def texts(self) -> list[str]:
        """All values that may have places to fill."""
        return [
            *([self.auth_token] if self.auth_token else []),
            *(self.custom_headers or {}).values(),
            *(self.env or {}).values(),
        ]


@dataclass(frozen=True, slots=True)
class Target:
    """A server to connect to. `headers` and `env` are ready to be sent, so they hold secrets.

    `hidden` are the secrets that nobody is to read in its answers, by name.
    """

    name: str
    kind: Kind
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    hidden: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """Differs where a connection could not be shared: another place, other credentials."""
        facts = [self.kind, self.url, dict(self.headers), self.command, self.args, dict(self.env)]
        return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()

    @property
    def has_token(self) -> bool:
        """Whether it is shown a credential of its own, so that no login is looked for."""
        return any(name.lower() == "authorization" for name in self.headers)


def wants_secrets(secrets: Secrets) -> bool:
    """Whether an agent's secrets belong into the configuration."""
    return asks(secrets.texts)


def target_of(
    name: str,
    kind: Kind,
    *,
    url: str | None,
    auth_header: str | None,
    command: str | None,
    args: list[str] | None,
    secrets: Secrets,
    values: Mapping[str, str],
) -> Target:
    """The server with the values of secrets filled in; raises `MissingSecret` naming those there are not."""
    missing: set[str] = set()
    headers = {key: filled(text, values, missing) for key, text in (secrets.custom_headers or {}).items()}
    if secrets.auth_token:
        key = auth_header or "Authorization"
        headers[key] = credential(key, filled(secrets.auth_token, values, missing))
    env = {key: filled(text, values, missing) for key, text in (secrets.env or {}).items()}
    if missing:
        raise MissingSecret(
            f"The MCP server {name!r} wants the agent's secret {', '.join(sorted(missing))}: set it in the "
            "agent's `secrets`, or give the place a default: {{ NAME | default }}."
        )
    check_headers(headers)
    used = {place: values[place] for text in secrets.texts for place in names_in(text) if place in values}
    own = {key: value for key, value in {**headers, **env}.items() if SECRET_NAME.search(key)}
    hidden = {**{key: value.removeprefix("Bearer ") for key, value in own.items()}, **used}
    return Target(name, kind, url or "", headers, command or "", tuple(args or ()), env, hidden)


def credential(header: str, token: str) -> str:
    """A token as its header wants it: `Authorization` names the scheme, `Bearer` unless the token does."""
    if header.lower() == "authorization" and " " not in token.strip():
        return f"Bearer {token.strip()}"
    return token


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise `InvalidArgument` for what cannot be sent as a header; never quotes a value."""
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise InvalidArgument(f"custom_headers: {name!r} is no name of a header.")
        if not HEADER_VALUE.fullmatch(value):
            raise InvalidArgument(f"custom_headers: the value of {name} has characters no header can hold.")
