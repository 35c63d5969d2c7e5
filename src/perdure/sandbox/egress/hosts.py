"""Names of hosts and ports, and which of them a grant holds: pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from perdure.sandbox.base import Network

LABEL = r"[a-z0-9_][a-z0-9_-]{0,62}"
NAME = re.compile(rf"(?=.{{1,253}}\Z){LABEL}(\.{LABEL})*", re.ASCII)
PORTS = {"http": 80, "https": 443}
ANY = "*"


class BadHost(ValueError):
    """No name and no address of a host."""


@dataclass(frozen=True, slots=True)
class Place:
    """A host, in lower case without brackets and final dot, and a port of it."""

    host: str
    port: int

    def __str__(self) -> str:
        """As a URL spells it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def normal(host: str) -> str:
    """The one spelling of a host that is compared. Raises `BadHost`."""
    bare = host.strip().removeprefix("[").removesuffix("]").removesuffix(".").lower()
    if _is_address(bare):
        return str(ip_address(bare))
    try:
        name = bare if bare.isascii() else bare.encode("idna").decode()
    except UnicodeError as error:
        raise BadHost(f"{host[:100]!r} is no host.") from error
    if not NAME.fullmatch(name):
        raise BadHost(f"{host[:100]!r} is no host.")
    return name


def place(netloc: str, scheme: str) -> Place:
    """Host and port of `host:port`, `host` or `[::1]:port`. Raises `BadHost`."""
    try:
        parts = urlsplit(f"//{netloc}")
        port = parts.port
    except ValueError as error:
        raise BadHost(f"{netloc[:100]!r} is no host and port.") from error
    if not parts.hostname or parts.netloc != netloc or "@" in netloc:
        raise BadHost(f"{netloc[:100]!r} is no host and port.")
    return Place(normal(parts.hostname), PORTS[scheme] if port is None else port)


def granted(host: str, patterns: Iterable[str]) -> bool:
    """Whether a grant names a host: itself, `*.name` for all below a name, or `*` for all."""
    for pattern in patterns:
        if pattern.strip() == ANY:
            return True
        if pattern.startswith("*."):
            if not _is_address(host) and host.endswith(pattern.lower().removesuffix(".").removeprefix(ANY)):
                return True
        elif host == _spelled(pattern):
            return True
    return False


def server_of(network: Network) -> Place | None:
    """Where our own server is reached, if the grant holds it."""
    if network.server is None:
        return None
    parts = urlsplit(network.server)
    return place(parts.netloc.rpartition("@")[2], parts.scheme)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _spelled(pattern: str) -> str | None:
    try:
        return normal(pattern)
    except BadHost:
        return None
