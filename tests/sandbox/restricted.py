"""Tells which sandbox is chosen where system calls are refused, as in containers: `restricted.py CALL…`.

`unshare` stands for all ways to make namespaces. Prints the name, or the refusal.
"""

import asyncio
import errno
import os
import sys
from typing import Any

from perdure.sandbox.base import Job, SandboxUnavailable
from perdure.sandbox.chosen import ChosenSandbox
from perdure.sandbox.guest import linux, seccomp
from perdure.sandbox.settings import SandboxSettings

NAMESPACES = seccomp.Test(0, bits=0x7E020000)


def refuse(names: list[str]) -> None:
    rules = [
        seccomp.Rule(name, errno.ENOSYS if name.startswith("landlock") else errno.EPERM) for name in names
    ]
    if "unshare" in names:
        rules += [seccomp.Rule("clone", test=NAMESPACES), seccomp.Rule("clone3", errno.ENOSYS)]
    linux.gain_nothing()
    seccomp.install(seccomp.program(rules, os.uname().machine))


async def main() -> None:
    opened = ChosenSandbox(SandboxSettings())
    try:
        found: Any = await opened.choose()
        answer = await opened.run(Job("6 * 7", "org-1"))
        print(
            found.backend.name,
            answer.value,
            *(f"{tried.name}: {tried.reason}" for tried in found.passed_over),
        )
    except SandboxUnavailable as error:
        print(error.detail)
    finally:
        await opened.close()


refuse(sys.argv[1:])
asyncio.run(main())
