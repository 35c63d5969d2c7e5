"""Zygotes that load code of tenants before any call."""

from pathlib import Path
from typing import Any

import pytest

from perdure.sandbox.backends import missing
from perdure.sandbox.base import Job, SandboxUnavailable
from perdure.sandbox.chosen import ChosenSandbox
from perdure.sandbox.inside import Inside
from perdure.sandbox.settings import SandboxSettings

pytestmark = pytest.mark.skipif(bool(missing("bubblewrap")), reason="no bubblewrap")

LOOKS_AROUND = """
import os
numbers = [n for n in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{n}")]
FOUND = [os.readlink(f"/proc/self/fd/{n}") for n in numbers]
GROUPS = open("/proc/self/cgroup").read()
"""
ANSWERS_ITSELF = """
import os
for number in range(3, 4096):
    try:
        os.write(number, b"[" * 100)
    except OSError:
        pass
"""


@pytest.fixture(params=[LOOKS_AROUND])
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "hostile.py").write_text(request.param)
    tmp_path.chmod(0o755)
    return tmp_path


async def test_what_packages_do_while_they_load_is_bounded(hostile: Path):
    """The zygote itself is in a control group where there are any, and holds the descriptors of none."""
    opened = ChosenSandbox(SandboxSettings(mode="bubblewrap"))
    found: Any = await opened.choose()
    inside = Inside(paths=("/hostile",), mounts=((hostile, "/hostile"),), preload=("hostile",), trusted=False)
    zygote = found.backend.zygote(inside, found.slots)
    try:
        seen = await zygote.run(Job("import hostile\n[hostile.FOUND, hostile.GROUPS]", "org-1"))
        descriptors, groups = seen.value
        assert not [path for path in descriptors if "cgroup" in path or "memory" in path]
        assert not found.slots.groups.places or "perdure-" in groups
    finally:
        await zygote.close()
        await opened.close()


@pytest.mark.parametrize("hostile", [ANSWERS_ITSELF], indirect=True)
async def test_a_package_that_answers_in_the_zygotes_place_is_refused(hostile: Path):
    opened = ChosenSandbox(SandboxSettings(mode="bubblewrap"))
    found: Any = await opened.choose()
    inside = Inside(paths=("/hostile",), mounts=((hostile, "/hostile"),), preload=("hostile",), trusted=False)
    zygote = found.backend.zygote(inside, found.slots)
    try:
        with pytest.raises(SandboxUnavailable, match="it answered something else"):
            await zygote.run(Job("1", "org-1"))
    finally:
        await zygote.close()
        await opened.close()
