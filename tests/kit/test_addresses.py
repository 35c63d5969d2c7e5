"""Only the internet's own addresses may be fetched from, however a private one is spelled."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.kit.addresses import is_public, usable

PRIVATE = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
private = st.sampled_from(PRIVATE).flatmap(lambda net: st.ip_addresses(network=net))
disguises = st.sampled_from(
    [
        lambda v4: IPv6Address((0xFFFF << 32) | int(v4)),  # mapped
        lambda v4: IPv6Address(int(v4)),  # "compatible"
        lambda v4: IPv6Address(int(IPv6Address("64:ff9b::")) | int(v4)),  # NAT64
        lambda v4: IPv6Address(int(IPv6Address("2002::")) | int(v4) << 80 | 1),  # 6to4
        lambda v4: IPv6Address(int(IPv6Address("2001::")) | int(v4) << 64 | 1),  # Teredo, its server
        lambda v4: IPv6Address(int(IPv6Address("2001::")) | int(v4) ^ 0xFFFFFFFF),  # Teredo, its client
    ]
)


@given(private)
def test_no_private_address_is_public(address: IPv4Address) -> None:
    assert not is_public(address)


@given(private, disguises)
def test_nor_is_it_in_disguise(address: IPv4Address, disguise) -> None:
    assert not is_public(disguise(address))


@given(
    st.sampled_from(["::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "2001:db8::/32"]).flatmap(
        lambda net: st.ip_addresses(network=net)
    )
)
def test_no_special_address_of_ipv6_is_public(address: IPv6Address) -> None:
    assert not is_public(address) or (address.ipv4_mapped is not None and is_public(address.ipv4_mapped))


@given(st.ip_addresses())
def test_what_is_public_is_global_by_the_standard_registry(address) -> None:
    if is_public(address) and getattr(address, "ipv4_mapped", None) is None:
        assert address.is_global or getattr(address, "sixtofour", None)
        assert not any((address.is_loopback, address.is_link_local, address.is_multicast))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(private)
def test_an_allowed_network_is_usable_also_when_mapped(address: IPv4Address) -> None:
    allowed = [ip_network(f"{address}/32")]
    mapped = str(IPv6Address((0xFFFF << 32) | int(address)))
    assert len(usable([str(address), mapped], allowed)) == 2
    assert usable([str(address)], [ip_network("2000::/3")]) == []


def test_of_several_addresses_only_the_public_ones_are_used() -> None:
    assert [str(a) for a in usable(["127.0.0.1", "8.8.8.8", "fe80::1%eth0"], ())] == ["8.8.8.8"]
