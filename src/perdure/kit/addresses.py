"""Which addresses may be fetched from: pure.

Addresses come from callers, models and web pages. Without this check the server could be sent to look
at what only it can reach: itself, its neighbours, the metadata of its cloud.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNICAST = IPv6Network("2000::/3")  # all that the internet routes; the rest is special in one way or another
NAT64 = IPv6Network("64:ff9b::/96")
IPV4_BITS = 0xFFFF_FFFF
# This header is on all that jobs, models and callers have us ask of addresses that are not public: one of
# them may be our own server's, which trusts programs of this machine while it is open, but never these.
FROM_A_JOB = "x-perdure-job"


def is_public(address: Address) -> bool:
    """Whether an address belongs to the internet, as do all IPv4 addresses that it stands for."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    inner = list(embedded(address))
    if not all(is_public(one) for one in inner):
        return False
    if address in UNICAST:
        return address.is_global or address.sixtofour is not None
    return bool(inner)


def marking(address: Address) -> dict[str, str]:
    """The headers that say to an address which could be our own server's for whom it is asked."""
    return {} if is_public(address) else {FROM_A_JOB: "1"}


def embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address is another spelling of."""
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in NAT64:
        yield IPv4Address(int(address) & IPV4_BITS)


def usable(found: Iterable[str], allowed: Iterable[Network]) -> list[Address]:
    """Of the addresses a name stands for, those that may be connected to, in order.

    `allowed` are networks that may although they are not public.
    """
    networks = tuple(allowed)
    addresses = [ip_address(text.partition("%")[0]) for text in found]
    return [one for one in addresses if is_public(one) or _within(one, networks)]


def _within(address: Address, networks: Iterable[Network]) -> bool:
    plain = (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
    return any(plain.version == network.version and plain in network for network in networks)
