"""What a client asks of the proxy, read from the head of its request: pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from perdure.sandbox.egress.hosts import PORTS, BadHost, Place, place

# Between a client and its proxy only; `connection` is said anew.
OWN = {b"host", b"connection", b"keep-alive", b"te", b"upgrade", b"expect"}
TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
REQUEST_WORDS = 3


class BadRequest(ValueError):
    """Nothing that a proxy could do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A place to connect to. `head` is what is said there first; empty for a tunnel."""

    to: Place
    head: bytes = b""

    @property
    def tunnel(self) -> bool:
        return not self.head


def read_head(head: bytes, within: Place | None = None) -> Asked:
    """What the head of a request, with its empty line, asks for. Raises `BadRequest`.

    One that came through a tunnel is `within` the place that the tunnel leads to, and names a path of it.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    words = first.split(b" ")
    if len(words) != REQUEST_WORDS or not words[2].startswith(b"HTTP/1.") or not _is_token(words[0]):
        raise BadRequest("This is a proxy for HTTP/1.1.")
    method, target, _ = words
    try:
        if within:
            return _forward(method, f"http://{within}{target.decode('ascii')}", lines, within)
        if method == b"CONNECT":
            return Asked(place(target.decode("ascii"), "https"))
        return _forward(method, target.decode("ascii"), lines)
    except (BadHost, UnicodeDecodeError) as error:
        raise BadRequest(str(error)) from error


def _forward(method: bytes, target: str, lines: list[bytes], only: Place | None = None) -> Asked:
    """A request with a whole URL: to be said to its host, perhaps this one only, as that expects it."""
    try:
        url = urlsplit(target)
    except ValueError as error:
        raise BadRequest("That is no URL.") from error
    if url.scheme != "http":
        raise BadRequest("A proxy is asked for http://host/path, or with CONNECT host:port.")
    to = place(url.netloc.rpartition("@")[2], "http")
    if only not in (None, to) or (only and "@" in url.netloc):
        raise BadRequest("In a tunnel a request names a path.")
    shown = str(to) if to.port != PORTS["http"] else str(to).removesuffix(f":{to.port}")
    path = url._replace(scheme="", netloc="", fragment="").geturl() or "/"
    if not path.startswith("/"):
        path = f"/{path}"
    said = [b"%b %b HTTP/1.1" % (method, path.encode()), b"Host: " + shown.encode()]
    said += _passed_on(lines)
    return Asked(to, b"\r\n".join([*said, b"Connection: close", b"", b""]))


def _passed_on(lines: list[bytes]) -> Iterator[bytes]:
    """The headers that are the host's business."""
    for line in lines:
        name, colon, _ = line.partition(b":")
        if not colon or not _is_token(name) or b"\n" in line or b"\r" in line or b"\0" in line:
            raise BadRequest("A header that is none.")
        lowered = name.lower()
        if lowered not in OWN and not lowered.startswith(b"proxy-"):
            yield line


def _is_token(word: bytes) -> bool:
    return bool(word) and all(byte in TOKEN for byte in word)
