"""A server keeps others out of what it makes; its sandboxes start nevertheless."""

import os

import pytest

from perdure.sandbox.base import Job, SandboxUnavailable
from perdure.sandbox.chosen import open_sandbox
from perdure.sandbox.settings import SandboxSettings


@pytest.mark.parametrize("mode", ["bubblewrap", "landlock"])
async def test_a_sandbox_starts_under_the_servers_umask(mode):
    async def tried():
        sandbox = open_sandbox(SandboxSettings(mode=mode))
        try:
            return (await sandbox.run(Job("def f():\n    return 1", "org-1", "f"))).value
        except SandboxUnavailable as error:
            return str(error)
        finally:
            await sandbox.close()

    usual = await tried()
    before = os.umask(0o077)
    try:
        assert await tried() == usual
    finally:
        os.umask(before)
