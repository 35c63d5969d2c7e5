"""Packages, languages and networks inside the real sandboxes of this machine."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from tests.sandbox.packages import NpmRegistry, make_wheel

from perdure.sandbox.base import Job, Limits, MiB, Network, Outcome, Requirements, SandboxUnavailable
from perdure.sandbox.chosen import ChosenSandbox
from perdure.sandbox.node.runtime import find_node
from perdure.sandbox.settings import EgressSettings, EnvironmentSettings, SandboxSettings
from perdure.sandbox.surroundings import Surroundings

NODE = find_node()
needs_node = pytest.mark.skipif(NODE is None, reason="no Node.js here")
LOOPBACK = [ip_network("127.0.0.0/8")]
SOURCE = "def f():\n    import words\n    return words.say()"
WORDS = """
import os
count = 0
def say():
    global count
    count += 1
    return [count, os.getpid() != 1]
"""


class Site:
    """A server on the loopback that answers with the path."""

    port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1]
        writer.write(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(path), path)
        )
        writer.close()


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    made = Site()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest.fixture(scope="module")
def registry() -> Iterator[NpmRegistry]:
    made = NpmRegistry()
    made.add("left", "1.0.0", {"index.js": "module.exports = (a) => `<${a}`"})
    yield made
    made.close()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder, "words", "1.0", {"words.py": WORDS})
    make_wheel(folder, "evil", "1.0", {"evil.py": EVIL})
    make_wheel(folder, "broken", "1.0", {"broken.py": "raise SystemExit(3)"})
    return folder


@pytest.fixture(scope="module", params=["bubblewrap", "landlock"])
async def sandbox(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    site: Site,
    wheels: Path,
    registry: NpmRegistry,
) -> AsyncIterator[ChosenSandbox]:
    told = {
        "UV_FIND_LINKS": str(wheels),
        "UV_NO_INDEX": "1",
        "npm_config_registry": registry.url,
        "HOME": str(tmp_path_factory.mktemp("home")),
    }
    settings = SandboxSettings(
        mode=request.param,
        egress=EgressSettings(ports=frozenset({80, 443, site.port})),
        environments=EnvironmentSettings(warm=2),
    )
    made = ChosenSandbox(settings, Surroundings(tmp_path_factory.mktemp("environments"), told, LOOPBACK))
    try:
        await made.choose()
    except SandboxUnavailable as error:
        pytest.skip(error.detail)
    yield made
    await made.close()


async def run(sandbox: ChosenSandbox, source: str, function: str | None = "f", **given: Any) -> Outcome:
    pip, npm = given.pop("pip", ()), given.pop("npm", ())
    organization = given.pop("organization_id", "org-1")
    return await sandbox.run(
        Job(source, organization, function, requirements=Requirements(tuple(pip), tuple(npm)), **given)
    )


EVIL = """
import ctypes, os, socket
FOUND = []
for name, attempt in {
    "shadow": lambda: open("/etc/shadow").read(),
    "namespace": lambda: ctypes.CDLL(None).unshare(0x10000000) and 1 / 0,
    "internet": lambda: socket.socket(socket.AF_INET).close(),
    "write": lambda: open(__file__, "a").write("#"),
    "root": lambda: open("/evil", "w").write("x"),
    "passwd": lambda: os.setuid(0),
}.items():
    try:
        attempt()
    except BaseException:
        continue
    FOUND.append(name)
"""


async def test_a_tool_has_the_packages_it_requires(sandbox: ChosenSandbox) -> None:
    outcomes = [await run(sandbox, SOURCE, pip=["words==1.0"]) for _ in range(2)]
    assert [one.value for one in outcomes] == [[1, True], [1, True]], outcomes


async def test_code_of_a_package_has_no_rights_while_it_is_loaded(sandbox: ChosenSandbox) -> None:
    found = await run(sandbox, "import evil\ndef f():\n    return evil.FOUND", pip=["evil"])
    assert found.value == [], found


async def test_a_package_that_cannot_be_loaded_costs_only_its_user(sandbox: ChosenSandbox) -> None:
    assert (await run(sandbox, "def f():\n    return 1", pip=["broken"])).value == 1
    assert (await run(sandbox, "import broken\ndef f():\n    return 1", pip=["broken"])).status == "error"


async def test_a_package_that_is_not_to_be_had_is_told_in_words(sandbox: ChosenSandbox) -> None:
    with pytest.raises(SandboxUnavailable, match="nowhere was not found"):
        await run(sandbox, SOURCE, pip=["nowhere"])


async def test_worlds_that_are_not_wanted_end_and_begin_again(sandbox: ChosenSandbox) -> None:
    for organization in ("org-1", "org-2", "org-3", "org-1"):
        found = await run(sandbox, SOURCE, pip=["words"], organization_id=organization)
        assert found.value == [1, True]


async def test_many_calls_at_once_share_a_world(sandbox: ChosenSandbox) -> None:
    found = await asyncio.gather(*(run(sandbox, SOURCE, pip=["words"]) for _ in range(12)))
    assert [one.value for one in found] == [[1, True]] * 12


@needs_node
async def test_javascript_runs_and_is_limited(sandbox: ChosenSandbox) -> None:
    js: dict[str, Any] = {"language": "javascript"}
    done = await run(
        sandbox, "async function f(a) { console.log('out'); return a }", arguments={"a": [1]}, **js
    )
    assert (done.value, done.stdout) == ([1], "out\n"), done
    assert (await run(sandbox, "let a = 1\na + 1", None, **js)).value == 2
    short = Limits(wall_seconds=1.0)
    assert (await run(sandbox, "function f() { for (;;) {} }", limits=short, **js)).killed == "time"
    small = Limits(memory_bytes=192 * MiB)
    large = "function f() { const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1)) }"
    assert (await run(sandbox, large, limits=small, **js)).status == "error"
    attack = """
const fs = require('node:fs'); const net = require('node:net')
function f(port) {
  const found = []
  for (const path of ['/etc/shadow', '/root/.bashrc', '/proc/1/environ']) {
    try { if (fs.readFileSync(path).length) found.push(path) } catch {}
  }
  try { fs.writeFileSync('/usr/x', 'x'); found.push('write') } catch {}
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => resolve(found))
    socket.on('connect', () => resolve([...found, 'connect']))
  })
}"""
    done = await run(sandbox, attack, arguments={"port": 80}, **js)
    assert done.value == [], done


@needs_node
async def test_typescript_runs(sandbox: ChosenSandbox) -> None:
    if NODE is None or not NODE.typescript:
        pytest.skip("no Node.js that reads TypeScript")
    source = "export function f(city: string, days: number = 3): string { return `${city} ${days}` }"
    done = await run(sandbox, source, language="typescript", arguments={"city": "Oslo"})
    assert done.value == "Oslo 3", done


@needs_node
async def test_javascript_has_the_packages_it_requires(sandbox: ChosenSandbox) -> None:
    source = "import left from 'left'\nexport const f = (a) => left(a)"
    done = await run(sandbox, source, npm=["left@1"], language="javascript", arguments={"a": 1})
    assert done.value == "<1", done
    plain = await run(sandbox, source, language="javascript", arguments={"a": 1})
    assert plain.error is not None
    assert "left" in plain.error


GET = """
def f(url):
    import urllib.request
    try:
        return urllib.request.urlopen(url, timeout=5).read().decode()
    except OSError as error:
        return str(error)
"""
FETCH = """
const f = async (url) => {
  const answer = await fetch(url)
  return `${answer.status} ${await answer.text()}`
}
"""


@pytest.mark.parametrize("pip", [(), ("words",)])
async def test_a_granted_host_is_reached_and_no_other(sandbox: ChosenSandbox, site: Site, pip: Any) -> None:
    granted = Network(("127.0.0.1",))
    url = f"http://127.0.0.1:{site.port}/a"
    found = [await run(sandbox, GET, arguments={"url": url}, network=granted, pip=pip) for _ in range(2)]
    assert [one.value for one in found] == ["/a", "/a"], found
    other = url.replace("127.0.0.1", "127.0.0.2")
    refused = await run(sandbox, GET, arguments={"url": other}, network=granted, pip=pip)
    assert (
        refused.value == "HTTP Error 403: Host 127.0.0.2 is not allowed for this tool; allowed are 127.0.0.1"
    )
    none = await run(sandbox, GET, arguments={"url": url}, pip=pip)
    assert "not supported" in none.value or "not permitted" in none.value, none


@pytest.mark.parametrize("pip", [(), ("words",)])
async def test_nothing_is_reached_beside_the_proxy(sandbox: ChosenSandbox, site: Site, pip: Any) -> None:
    source = """
import socket
def f(port):
    found = []
    for host, number in [("127.0.0.1", port), ("1.1.1.1", 53), ("127.0.0.1", 8283)]:
        try:
            socket.create_connection((host, number), 2)
            found.append(host)
        except OSError:
            pass
    return found
"""
    done = await run(sandbox, source, arguments={"port": site.port}, network=Network(("*",)), pip=pip)
    assert done.value == [], done


CLIENTS = """
import asyncio, os, ssl
import words
async def f(host, port):
    proxy = os.environ["HTTP_PROXY"]
    reader, writer = await asyncio.open_connection(*proxy.removeprefix("http://").split(":"))
    writer.write(f"CONNECT {host}:{port} HTTP/1.1\\r\\n\\r\\n".encode())
    status = (await reader.readuntil(b"\\r\\n\\r\\n")).decode().split()[1]
    writer.write(b"GET /tunnel HTTP/1.1\\r\\n\\r\\n")
    answer = await reader.read()
    writer.close()
    context = ssl.create_default_context()
    try:
        await asyncio.open_connection("1.1.1.1", 443, ssl=context)
    except OSError as error:
        return [status, answer.decode().split()[-1], error.errno]
"""


def by_tunnel(site: Site) -> Network:
    """The site as our own server with https: the one place here that tunnels lead to."""
    return Network(("127.0.0.1",), server=f"https://127.0.0.1:{site.port}")


async def test_asynchronous_clients_reach_it_too(sandbox: ChosenSandbox, site: Site) -> None:
    granted, given = by_tunnel(site), {"host": "127.0.0.1", "port": site.port}
    done = await run(sandbox, CLIENTS, arguments=given, network=granted, pip=["words"])
    assert done.value[:2] == ["200", "/tunnel"], done


@needs_node
async def test_javascript_reaches_what_was_granted(sandbox: ChosenSandbox, site: Site) -> None:
    if NODE is None or NODE.version < (24, 0) or sandbox.name == "landlock":
        pytest.skip("nothing here that knows proxies")
    js: dict[str, Any] = {
        "language": "javascript",
        "network": by_tunnel(site),
    }
    url = f"http://127.0.0.1:{site.port}/js"
    assert (await run(sandbox, FETCH, arguments={"url": url}, **js)).value == "200 /js"
    denied = await run(sandbox, FETCH, arguments={"url": "http://127.0.0.2/"}, **js)
    assert denied.error is not None
    assert "403" in denied.error
    assert denied.stderr.endswith(
        "network: Host 127.0.0.2 is not allowed for this tool; allowed are 127.0.0.1\n"
    )


@needs_node
async def test_a_network_that_cannot_be_granted_is_refused_in_words(sandbox: ChosenSandbox) -> None:
    if sandbox.name != "landlock":
        pytest.skip("grants networks")
    with pytest.raises(SandboxUnavailable, match="to tools in Python alone"):
        await run(sandbox, FETCH, network=Network(("*",)), language="javascript")


async def test_without_a_folder_no_packages_are_installed(sandbox: ChosenSandbox) -> None:
    bare = ChosenSandbox(SandboxSettings(mode=sandbox.name), replace(Surroundings(), folder=None))
    with pytest.raises(SandboxUnavailable, match="no folder"):
        await run(bare, SOURCE, pip=["words"])
    await bare.close()
