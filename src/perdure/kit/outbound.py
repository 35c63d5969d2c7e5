"""The one way out: fetches addresses that callers, models and pages name.

A name is resolved once and the connection goes to the address that was checked, so a name that
changes its mind in between (DNS rebinding) leads nowhere else. Redirects are followed by hand, each
checked like the first. No proxy of the environment is used: it would resolve names by itself.
"""

import asyncio
import re
import socket
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_network
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urljoin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, IPvAnyNetwork
from pydantic_settings import NoDecode

from perdure.kit.addresses import Address, marking, usable
from perdure.kit.errors import InvalidArgument

if TYPE_CHECKING:
    import ssl

    import httpx2

PORTS = {"http": 80, "https": 443}
MAX_PORT = 65_536
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5
CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s\"';]+)", re.IGNORECASE)
USER_AGENT = "perdure"
HARMLESS = frozenset({"accept", "accept-language", "user-agent"})  # the rest may be secrets of one origin
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


def _split(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


class OutboundSettings(BaseModel):
    """Fetching what a URL names: images in messages, callbacks, web pages."""

    model_config = ConfigDict(extra="forbid")

    networks: Annotated[list[IPvAnyNetwork], NoDecode, BeforeValidator(_split)] = Field(
        default_factory=list[IPvAnyNetwork],
        description="Networks that URLs may lead into although they are not public, such as 192.168.0.0/16, "
        "separated by commas. URLs come from callers, models and pages: whoever names one sees what "
        "answers there.",
    )
    max_bytes: int = Field(default=20_000_000, gt=0, description="The most that is read of one answer.")
    seconds: float = Field(default=20.0, gt=0, description="How long fetching may take, redirects and all.")


class FetchFailed(InvalidArgument):
    """An address that may not be fetched, or gave nothing; `detail` says why."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address answered. `url` is where the redirects ended."""

    url: str
    status: int
    content_type: str
    content: bytes
    charset: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, by the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches within the settings' limits."""

    settings: OutboundSettings
    resolve: Resolve = resolve

    def trusting(self) -> "Fetcher":
        """The same for addresses that whoever runs the server has set: they may be private."""
        networks: list[Any] = [ip_network("0.0.0.0/0"), ip_network("::/0")]
        return replace(self, settings=self.settings.model_copy(update={"networks": networks}))

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched:
        """What is at `url`, redirects followed. Raises `FetchFailed`."""
        return await self._within_time(url, self._follow(url, headers or {}))

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Fetched:
        """The answer to `content`; a redirect is no success. Raises `FetchFailed`."""
        return await self._within_time(url, self._post(url, content, headers))

    async def _within_time(self, url: str, work: Awaitable[Fetched]) -> Fetched:
        try:
            async with asyncio.timeout(self.settings.seconds):
                return await work
        except TimeoutError as error:
            raise FetchFailed(f"{shown(url)} did not answer within {self.settings.seconds:g} s.") from error

    async def _follow(self, url: str, headers: Mapping[str, str]) -> Fetched:
        for _ in range(MAX_REDIRECTS + 1):
            answer, location = await self._exchange("GET", url, headers, b"")
            if answer.status not in REDIRECTS or location is None:
                return answer
            before, url = url, _joined(url, location)
            if not same_origin(before, url):
                headers = {name: value for name, value in headers.items() if name.lower() in HARMLESS}
        raise FetchFailed(f"{shown(url)}: more than {MAX_REDIRECTS} redirects.")

    async def _post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Fetched:
        return (await self._exchange("POST", url, headers, content))[0]

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> tuple[Fetched, str | None]:
        """One request to one checked address; its answer, and where that points to."""
        import httpx2  # noqa: PLC0415 - heavy, and needed at the first fetch only

        try:
            target = _checked(httpx2.URL(url), url)
            sent = {"host": target.netloc.decode(), "user-agent": USER_AGENT, **headers}
            sent["accept-encoding"] = "identity"
            extensions = {"sni_hostname": target.raw_host.decode()} if target.scheme == "https" else {}
            address = await self.address(target)
            sent |= marking(address)
            target = target.copy_with(host=str(address), fragment=None)
            tls = await asyncio.to_thread(trusted)
            async with (
                httpx2.AsyncClient(verify=tls, trust_env=False, timeout=self.settings.seconds) as http,
                http.stream(method, target, headers=sent, content=content, extensions=extensions) as answer,
            ):
                body = await self._body(url, answer)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            words = str(error) or type(error).__name__
            raise FetchFailed(f"{shown(url)} cannot be fetched: {words}") from error
        kind, _, rest = answer.headers.get("content-type", "").partition(";")
        charset = CHARSET.search(rest)
        fetched = Fetched(
            url, answer.status_code, kind.strip().lower(), body, charset[1].lower() if charset else ""
        )
        return fetched, answer.headers.get("location")

    async def address(self, target: "httpx2.URL") -> Address:
        """An address to connect to for this URL: `FetchFailed` for a private one, `OSError` for none."""
        host = target.raw_host.decode()
        found = await self.resolve(host, target.port or PORTS[target.scheme])
        chosen = usable(found, self.settings.networks)
        if not chosen:
            raise FetchFailed(
                f"{shown(str(target))}: {host} is not a public address. "
                "Whoever runs the server can allow its network: `outbound.networks`."
            )
        return chosen[0]

    async def _body(self, url: str, answer: "httpx2.Response") -> bytes:
        """The body, never more of it than is allowed, also when it arrives compressed."""
        limit = self.settings.max_bytes
        raw = bytearray()
        async for piece in answer.aiter_raw():
            raw += piece
            if len(raw) > limit:
                raise FetchFailed(f"{shown(url)} is larger than {limit} bytes.")
        encoding = answer.headers.get("content-encoding", "identity").lower()
        if encoding in ("", "identity"):
            return bytes(raw)
        return _unpacked(url, encoding, bytes(raw), limit)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchFailed(f"{shown(url)} redirects to what is no address: {error}.") from error


def _unpacked(url: str, encoding: str, raw: bytes, limit: int) -> bytes:
    if encoding not in ("gzip", "deflate"):
        raise FetchFailed(f"{shown(url)} came packed as {encoding}, which was not asked for.")
    packed = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        content = packed.decompress(raw, limit + 1)
    except zlib.error as error:
        raise FetchFailed(f"{shown(url)} came packed as {encoding} and is broken: {error}.") from error
    if len(content) > limit:
        raise FetchFailed(f"{shown(url)} is larger than {limit} bytes.")
    return content


def check_address(url: str) -> None:
    """Raise `FetchFailed` for what can be no address at all; where it leads is seen when it is fetched."""
    import httpx2  # noqa: PLC0415 - see above

    try:
        _checked(httpx2.URL(url), url)
    except httpx2.InvalidURL as error:
        raise FetchFailed(f"{shown(url)} is no address: {error}") from error


def _checked(target: "httpx2.URL", url: str) -> "httpx2.URL":
    """An http or https address with a host; `FetchFailed` for any other."""
    if target.scheme not in PORTS:
        raise FetchFailed(f"{shown(url)}: an address begins with https:// or http://.")
    if not target.host or not 0 < (target.port or PORTS[target.scheme]) < MAX_PORT:
        raise FetchFailed(f"{shown(url)} names no host and port there can be.")
    return target


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses agree in scheme, host and port."""
    import httpx2  # noqa: PLC0415 - see above

    try:
        first, second = httpx2.URL(one), httpx2.URL(other)
    except httpx2.InvalidURL:
        return False
    return (first.scheme, first.raw_host, first.port) == (second.scheme, second.raw_host, second.port)


def shown(url: str) -> str:
    """An address as errors quote it: short, and without what it may hold of secrets."""
    bare = url.partition("?")[0].partition("#")[0]
    scheme, mark, rest = bare.partition("://")
    place = rest.partition("/")[0]
    return (scheme + mark + place.rpartition("@")[2] + rest[len(place) :])[:200]


@cache
def trusted() -> "ssl.SSLContext":
    """The certificates to trust; reading them takes long enough to do it once."""
    import httpx2  # noqa: PLC0415 - see above

    return httpx2.create_ssl_context()
