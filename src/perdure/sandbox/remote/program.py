"""What is sent to a machine: our guest as one Python program, and the job as what that reads."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import orjson

from perdure.sandbox.base import Job
from perdure.sandbox.inside import GUEST, PRELOADED
from perdure.sandbox.node.command import RUNNER
from perdure.sandbox.request import packed

# The command line is short, for some engines show it to everybody; the program comes by standard input.
BOOT = "import sys;exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
RUNNER_PATH = "/tmp/perdure-run.mjs"
_LOADER = """
import importlib.abc, importlib.util, sys

class Sources(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        known = name in SOURCES
        return importlib.util.spec_from_loader(name, self, is_package=name == "guest") if known else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(SOURCES[module.__name__], f"<{module.__name__}>", "exec"), module.__dict__)

finder = Sources()
sys.meta_path.insert(0, finder)
from guest.alone import main
sys.meta_path.remove(finder)
main()
"""


@cache
def program() -> bytes:
    """The guest's modules and what runs them: text of Python that needs nothing but an interpreter."""
    files = {f"guest.{path.stem}": path.read_text() for path in sorted(GUEST.glob("*.py"))}
    sources = {"guest": files.pop("guest.__init__"), **files}
    return f"SOURCES = {sources!r}\n{_LOADER}".encode()


def plan(scratch: str) -> bytes:
    """What the guest is told first, as a line. The machine confines; a filter of system calls is added."""
    told: dict[str, Any] = {
        "plan": {
            "namespaces": False,
            "scratch": scratch,
            "preload": list(PRELOADED),
            "other_processes": 1 << 20,  # the kernel counts those of the user on all machines it holds
        },
        "runner": RUNNER.read_text(),
        "runner_path": RUNNER_PATH,
    }
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def asked(job: Job, argv: Sequence[str], *, attended: bool) -> bytes:
    """The job as the guest reads it. `attended`: whoever sends it stays, and ends it by leaving."""
    request = packed(job, argv)
    head: Mapping[str, Any] = {
        "call": {"limits": job.limits, "network": False, "runtime": bool(argv), "keep": job.keep},
        "attended": attended,
        "size": len(request),
    }
    return orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE) + request
