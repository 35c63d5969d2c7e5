"""What a call may use and reach: wishes in their order, never more than the server allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.sandbox.base import Limits, MiB
from perdure.tools.base import ToolFailed
from perdure.tools.limits import Wishes, hosts_of, limits_of, wishes_of
from perdure.tools.settings import ToolSettings

SERVER = ToolSettings()
NOTHING = Wishes()


def wants(**limits):
    return wishes_of({"limits": limits}, "the tool")


def test_without_wishes_the_defaults_count():
    assert limits_of(Limits(), SERVER, NOTHING, NOTHING) == Limits()


def test_a_tool_comes_before_its_organization_and_the_server_before_both():
    organization = wants(wall_seconds=60, memory_mb=1024)
    limits = limits_of(Limits(), SERVER, organization, wants(wall_seconds=5, cpu_seconds=10**9))
    assert (limits.wall_seconds, limits.memory_bytes) == (5, 1024 * MiB)
    assert limits.cpu_seconds == SERVER.max_cpu_seconds
    assert limits.processes == Limits().processes


def test_an_older_timeout_is_the_time_of_the_wall():
    assert wishes_of({"timeout": 7}, "x").limits.wall_seconds == 7
    assert wishes_of({"timeout": 7, "limits": {"wall_seconds": 8}}, "x").limits.wall_seconds == 8


@pytest.mark.parametrize(
    "said",
    [
        {"limits": {"wall_seconds": "long"}},
        {"limits": {"memory_mb": 1}},
        {"timeout": -1},
        {"limits": []},
        {"hosts": "x"},
    ],
)
def test_wrong_wishes_are_told_by_their_place(said):
    with pytest.raises(ToolFailed, match="of the tool weather are not right"):
        wishes_of(said, "the tool weather")


@pytest.mark.parametrize(
    ("server", "organization", "tool", "allowed"),
    [
        ([], None, ["*"], ()),
        (["*"], None, None, ("*",)),
        (["*"], ["*.a.example", "b.example"], None, ("*.a.example", "b.example")),
        (["*"], ["*.a.example", "b.example"], ["x.a.example", "c.example"], ("x.a.example",)),
        (["*.a.example"], None, ["*"], ("*.a.example",)),
        (["a.example"], [], ["a.example"], ()),
        (["A.example"], None, ["a.example"], ("a.example", "A.example")),
        (["*.a.example"], None, ["a.example", "ba.example", "b.a.example"], ("b.a.example",)),
    ],
)
def test_hosts_are_narrowed_never_widened(server, organization, tool, allowed):
    settings = ToolSettings(hosts=server)
    wishes = [Wishes(hosts=None if hosts is None else tuple(hosts)) for hosts in (organization, tool)]
    assert hosts_of(settings, *wishes) == allowed


HOSTS = st.lists(st.sampled_from(["*", "*.a", "*.b.a", "a", "b.a", "c.b.a", "d"]), max_size=4)


def reaches(patterns, host):
    return any(p in ("*", host) or (p.startswith("*.") and host.endswith(p[1:])) for p in patterns)


@given(HOSTS, HOSTS, HOSTS, st.sampled_from(["a", "b.a", "c.b.a", "d", "e"]))
def test_a_host_is_reached_where_all_three_allow_it(server, organization, tool, host):
    allowed = hosts_of(
        ToolSettings(hosts=server), Wishes(hosts=tuple(organization)), Wishes(hosts=tuple(tool))
    )
    assert reaches(allowed, host) == all(reaches(each, host) for each in (server, organization, tool))
