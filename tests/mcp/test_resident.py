"""Servers that are commands, in the sandbox: they work, see nothing of ours, and are held to their limits."""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import letta_client
import pytest
from letta_client import Letta
from tests.conftest import ADMIN_KEY
from tests.sandbox.packages import NpmRegistry, make_wheel

from perdure.config import Settings
from perdure.mcp.settings import McpSettings
from perdure.providers.settings import CatalogSettings
from perdure.sandbox.base import SandboxUnavailable
from perdure.sandbox.bubblewrap import binaries
from perdure.sandbox.environments.programs import Packaged, packaged
from perdure.sandbox.node.runtime import find_node
from perdure.sandbox.settings import SandboxSettings
from perdure.testing.live import LiveServer, serve
from perdure.testing.scripted import ScriptedModel

SERVER = """
import os, sys
from mcp.server.mcpserver import MCPServer

server = MCPServer("local")

@server.tool(structured_output=False)
def attempt(code: str) -> str:
    "Run code, and tell what `found` is then."
    values = {}
    try:
        exec(code, values)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return repr(values.get("found"))

server.run("stdio")
"""
INFO = "bare_server-1.0.dist-info"
BARE = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    tool = {"name": "answer", "description": "It.", "inputSchema": {"type": "object"}}
    result = {
        "initialize": {
            "protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
            "serverInfo": {"name": "bare", "version": "1"},
        },
        "tools/list": {"tools": [tool]},
        "tools/call": {"content": [{"type": "text", "text": "forty-two"}]},
    }.get(asked["method"])
    told = {"result": result} if result else {"error": {"code": -32601, "message": "none"}}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **told}), flush=True)
"""

BARE_JS = """
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const asked = JSON.parse(line);
  if (asked.id === undefined) return;
  const known = {
    initialize: {
      protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'bare', version: '1' },
    },
    'tools/list': { tools: [{ name: 'answer', description: 'It.', inputSchema: { type: 'object' } }] },
    'tools/call': { content: [{ type: 'text', text: 'forty-two' }] },
  };
  const result = known[asked.method];
  const told = result ? { result } : { error: { code: -32601, message: 'none' } };
  console.log(JSON.stringify({ jsonrpc: '2.0', id: asked.id, ...told }));
});
"""

pytestmark = pytest.mark.skipif(not binaries(), reason="no bubblewrap here")


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def page() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def registry() -> Iterator[NpmRegistry]:
    made = NpmRegistry()
    made.add("bare-server", "1.0.0", {"index.js": BARE_JS}, bin="./index.js")
    yield made
    made.close()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, page: int, registry: NpmRegistry) -> Iterator[LiveServer]:
    """A server as it comes, but for limits that are soon reached and a host that commands may reach."""
    home = tmp_path_factory.mktemp("resident")
    make_wheel(
        home / "wheels",
        *("bare_server", "1.0"),
        {
            "bare_server.py": f"def main():\n    exec({BARE!r}, {{}})\n",
            f"{INFO}/entry_points.txt": "[console_scripts]\nbare-server = bare_server:main\n",
        },
    )
    settings = Settings.model_validate(
        {
            "home": home,
            "api_key": ADMIN_KEY,
            "models": CatalogSettings(detect=False),
            "outbound": {"networks": ["127.0.0.0/8"]},
            "sandbox": {"egress": {"ports": [page]}},
            "mcp": {
                "commands": {
                    "paths": [Path(sys.prefix)],
                    "hosts": ["127.0.0.1"],
                    "memory_mb": 256,
                    "processes": 24,
                    "files_mb": 16,
                }
            },
        }
    )
    told = {"UV_FIND_LINKS": str(home / "wheels"), "UV_NO_INDEX": "1", "HOME": str(home)}
    told["npm_config_registry"] = registry.url
    yield from serve(settings.with_environment({**told, "PATH": os.environ["PATH"]}), ScriptedModel())


@pytest.fixture(scope="module")
def client(local: LiveServer) -> Iterator[Letta]:
    with Letta(base_url=local.url, api_key=ADMIN_KEY, max_retries=0, timeout=60) as letta:
        yield letta


@pytest.fixture(scope="module")
def attempt(client: Letta) -> Any:
    """Runs code in a command's process."""
    command = {"mcp_server_type": "stdio", "command": sys.executable, "args": ["-c", SERVER]}
    server = client.mcp_servers.create(server_name="local", config={**command, "env": {"TOKEN": "abc"}})
    tools = {tool.name: tool for tool in client.mcp_servers.tools.list(server.id)}
    assert tools, server.health

    def run(code: str) -> Any:
        return client.mcp_servers.tools.run(tools["attempt"].id, mcp_server_id=server.id, args={"code": code})

    return run


def test_a_command_has_an_environment_and_a_home_of_its_own(attempt: Any):
    code = "import os\nopen('kept', 'a').write('x')\nfound = sorted(os.environ.items()), os.getcwd()"
    environment, folder = eval(attempt(code).func_return)
    values = dict(environment)
    assert (values["TOKEN"], values["HOME"], folder) == ("abc", "/sandbox/home", "/sandbox/home")
    assert not [name for name in values if "KEY" in name]
    assert attempt("import os\nfound = os.listdir(os.environ['HOME'])").func_return == "['kept']"


@pytest.mark.parametrize(
    "code",
    [
        "import os\nfound = os.listdir({home!r})",
        "found = open({home!r} + '/perdure.db', 'rb').read(10)",
        "found = open({home!r} + '/keys.json').read()",
        "found = open('/etc/shadow').read()",
        "found = open('/etc/passwd').read()",
        "found = open('/proc/{server}/environ', 'rb').read()",
        "import os\nos.kill({server}, 0)\nfound = 'signalled'",
        "found = open('/proc/1/environ', 'rb').read()",
        "import os\nos.kill(1, 9)\nfound = None",
        "import os\nopen('/proc/1/mem', 'rb')\nfound = 'memory'",
        "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)\nfound = 'connected'",
        "import socket\nsocket.create_connection(('192.0.2.1', 80), 2)\nfound = 'connected'",
        "import socket\nsocket.socket(socket.AF_UNIX).connect({unix!r})\nfound = 'connected'",
        "import socket\nsocket.socket(socket.AF_UNIX).connect(chr(0) + {abstract!r})\nfound = 'connected'",
        "import socket\nsocket.socket(40, socket.SOCK_STREAM)\nfound = 'vsock'",
        "open('/usr/x', 'w')\nfound = 'written'",
        "open('/x', 'w')\nfound = 'written'",
        "open({prefix!r} + '/x', 'w')\nfound = 'written'",
        "import ctypes\nfound = ctypes.CDLL(None).unshare(0x10000000) == 0 or None",
        "import ctypes\nfound = ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0 or None",
        "import os\nfound = os.getuid() == 0 or None",
        "import os\nos.setuid(0)\nfound = 'root'",
        "import os\nfound = [n for n in os.listdir('/proc') if n.isdigit() and int(n) > 1 "
        "and 'conftest' in open(f'/proc/{{n}}/cmdline').read()] or None",
        "import os\nfound = [n for n in range(3, 64) if os.path.exists(f'/proc/self/fd/{{n}}')"
        " and os.readlink(f'/proc/self/fd/{{n}}').startswith('/')] or None",
    ],
)
def test_a_command_gets_hold_of_nothing(attempt: Any, local: LiveServer, tmp_path: Path, code: str):
    unix = socket.socket(socket.AF_UNIX)
    abstract = socket.socket(socket.AF_UNIX)
    with contextlib.closing(unix), contextlib.closing(abstract):
        unix.bind(str(tmp_path / "socket"))
        abstract.bind("\0perdure-abstract")
        for each in (unix, abstract):
            each.listen()
        tmp_path.chmod(0o755)
        (tmp_path / "socket").chmod(0o777)
        told = {
            "home": str(local.settings.home),
            "server": os.getpid(),
            "port": int(local.url.rpartition(":")[2]),
            "unix": str(tmp_path / "socket"),
            "abstract": "perdure-abstract",
            "prefix": sys.prefix,
        }
        said = str(attempt(code.format(**told)).func_return)
    assert said == "None" or said.partition(":")[0] in REFUSALS, said


REFUSALS = (
    *("PermissionError", "FileNotFoundError", "ConnectionRefusedError", "ProcessLookupError", "OSError"),
    *("TimeoutError", "NotADirectoryError"),
)


def test_a_network_is_the_granted_hosts_by_a_proxy(attempt: Any, page: int):
    code = f"import urllib.request\nfound = urllib.request.urlopen('http://{{}}:{page}/', timeout=5).read()"
    assert attempt(code.format("127.0.0.1")).func_return == "b'hello'"
    assert "403" in attempt(code.format("localhost")).func_return


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = bytearray(400 << 20)\nimport time\ntime.sleep(20)", "more than 256 MiB of memory"),
        (
            "import subprocess\nheld = []\ntry:\n"
            "    for _ in range(60): held.append(subprocess.Popen(['sleep', '60']))\n"
            "finally:\n    for each in held:\n        each.kill()\n        each.wait()",
            "Resource temporarily unavailable",
        ),
        (
            "import time\nfor n in range(4):\n    open(str(n), 'wb').write(bytes(8 << 20))\ntime.sleep(20)",
            "more than 16 MiB of files",
        ),
        (
            "import time\nfor n in range(40):\n    open(f'/tmp/{n}', 'wb').write(bytes(8 << 20))\n"
            "    time.sleep(0.05)\ntime.sleep(20)",
            "more than 256 MiB of memory",
        ),
        ("open('large', 'wb').write(bytes(20 << 20))", "File too large"),
    ],
)
def test_a_command_is_held_to_its_limits(attempt: Any, code: str, reason: str):
    done = attempt(code)
    assert reason in f"{done.func_return} {done.stderr}"
    again = attempt("found = 42")  # in a home that was emptied if it had become too large
    assert again.func_return == "42", again.stderr


def _running(marker: str) -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (
                folder.name.isdigit()
                and marker.encode() in (folder / "cmdline").read_bytes().split(b"\0")[:1]
            ):
                found.append(folder.name)
    return found


def test_the_programs_around_a_command_have_no_environment(attempt: Any):
    marker = f"marker-{time.time()}"
    attempt(f"import subprocess\nsubprocess.Popen(['{marker}', '60'], executable='/bin/sleep')")
    [pid] = _running(marker)
    parents = []
    while int(pid) != os.getpid():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pid = fields[1]
        parents.append(pid)
    around = [Path(f"/proc/{each}/environ") for each in parents[1:-1]]
    assert around
    if os.geteuid() == 0:
        assert not [path for path in around if b"TOKEN" in path.read_bytes() or b"PATH" in path.read_bytes()]


@pytest.mark.parametrize(
    ("command", "args"), [("uvx", ["bare-server@1.0"]), ("npx", ["-y", "bare-server@latest", "--flag"])]
)
def test_a_program_of_a_package_is_installed_and_run(client: Letta, command: str, args: list[str]):
    node = find_node()
    if command == "npx" and (node is None or node.npm is None):
        pytest.skip("no Node.js with npm here")
    config = {"mcp_server_type": "stdio", "command": command, "args": args}
    server = client.mcp_servers.create(server_name=f"packaged-{command}", config=config)
    [tool] = client.mcp_servers.tools.list(server.id)
    told = client.mcp_servers.tools.run(tool.id, mcp_server_id=server.id)
    assert told.func_return == "forty-two"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"command": "uvx", "args": ["no-such-server"]}, "no-such-server cannot be installed"),
        (
            {"command": "uvx", "args": ["--from", "bare-server", "other"]},
            "brings no program other; it",
        ),
        ({"command": "uvx", "args": ["--with", "x", "bare-server"]}, "--with is no option of a command"),
        ({"command": "sh", "args": ["-c", "head -c 5000000 /dev/zero; sleep 9"]}, "more than 4000000 bytes"),
        ({"command": "/no/such/command", "args": []}, "No such file"),
        ({"command": "sh", "args": ["-c", "echo the configuration is missing >&2; exit 3"]}, "is missing"),
    ],
)
def test_what_is_wrong_with_a_command_is_told(client: Letta, config: Any, reason: str):
    server = client.mcp_servers.create(
        server_name=f"w-{time.time()}", config={"mcp_server_type": "stdio", **config}
    )
    assert server.health["status"] == "failing"
    assert reason in server.health["error"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"mcp": McpSettings(stdio="off")}, "PERDURE_MCP_STDIO is off"),
        ({"sandbox": SandboxSettings(mode="off")}, "PERDURE_SANDBOX is off"),
    ],
)
def test_where_no_code_is_run_no_command_is(tmp_path: Path, more: Any, reason: str):
    settings = Settings.model_validate(
        {"home": tmp_path, "api_key": ADMIN_KEY, "models": CatalogSettings(detect=False), **more}
    )
    for running in serve(settings, ScriptedModel()):
        with Letta(base_url=running.url, api_key=ADMIN_KEY, max_retries=0) as letta:
            config: Any = {"mcp_server_type": "stdio", "command": "true", "args": []}
            try:
                said = letta.mcp_servers.create(server_name="x", config=config).health["error"]
            except letta_client.BadRequestError as error:
                said = str(error)
            assert reason in said


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("npx -y @scope/name@1.2 --flag x", Packaged("npm", "@scope/name@1.2", None, ("--flag", "x"))),
        ("npx name@latest", Packaged("npm", "name", None, ())),
        ("npx --package=name -- tool -y", Packaged("npm", "name", "tool", ("-y",))),
        ("uvx name@1.2 a", Packaged("pip", "name==1.2", None, ("a",))),
        ("uvx --from name[x]==2 tool", Packaged("pip", "name[x]==2", "tool", ())),
        ("uv tool run name", Packaged("pip", "name", None, ())),
        ("uv run x", None),
        ("node x.js", None),
    ],
)
def test_commands_that_fetch_packages_are_read(words: str, read: Packaged | None):
    command, *rest = words.split()
    assert packaged(command, rest) == read


@pytest.mark.parametrize("words", ["npx", "npx -y", "npx --yes --ignore-existing x", "uvx --python 3.12 x"])
def test_what_cannot_be_read_of_them_is_refused(words: str):
    command, *rest = words.split()
    with pytest.raises(SandboxUnavailable):
        packaged(command, rest)


def test_a_command_ends_with_its_session_and_all_that_came_of_it(attempt: Any, client: Letta):
    """The last test of these: it deletes the server."""
    marker = f"marker-{time.time()}"
    sleeps = f"['{marker}', '60'], executable='/bin/sleep', start_new_session=True"
    attempt(f"import subprocess\nsubprocess.Popen({sleeps})")
    assert _running(marker)
    for server in client.mcp_servers.list():
        client.mcp_servers.delete(server.id)
    deadline = time.monotonic() + 8
    while _running(marker):
        assert time.monotonic() < deadline
        time.sleep(0.05)
