"""Where a call goes, taken apart once for each address, and the bytes that ask for it."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import httpx2

from perdure.providers.vendors.connection import Place

PORTS = {"http": 80, "https": 443}
UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


class BadHeader(ValueError):
    """A header, a key perhaps, that no HTTP message can carry."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address. `shown` is how traces name it: without credentials and query."""

    place: Place
    path: str
    host: str
    shown: str
    authorization: str | None = None

    def request(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """The whole request; raises `BadHeader`."""
        lines = [f"POST {self.path} HTTP/1.1", f"host: {self.host}", "accept-encoding: identity"]
        if self.authorization:
            headers = {"authorization": self.authorization, **headers}
        for name, value in headers.items():
            line = f"{name}: {value}"
            if UNSENDABLE.search(line):
                raise BadHeader(
                    f"the header {name!r} has a character that cannot be sent, a line break perhaps."
                )
            lines.append(line)
        lines.append(f"content-length: {len(body)}\r\n\r\n")
        return "\r\n".join(lines).encode("latin-1") + body


@lru_cache(1024)
def target_of(url: str) -> Target:
    """Take an address apart; raises `httpx2.InvalidURL` or `httpx2.UnsupportedProtocol`."""
    parsed = httpx2.URL(url)
    if parsed.scheme not in PORTS or not parsed.host:
        raise httpx2.UnsupportedProtocol(
            "it names no host, or begins neither with http:// nor with https://."
        )
    named = f"{parsed.username}:{parsed.password}"
    return Target(
        Place(parsed.raw_host.decode(), parsed.port or PORTS[parsed.scheme], parsed.scheme == "https"),
        parsed.raw_path.decode(),
        parsed.netloc.decode(),
        str(parsed.copy_with(username=None, password=None, query=None)),
        f"Basic {base64.b64encode(named.encode()).decode()}" if named != ":" else None,
    )
