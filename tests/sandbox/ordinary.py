"""Programs run as an ordinary user, also where the tests are root's."""

import json
import os
import sys
from pathlib import Path

from perdure.sandbox.guest import launch
from perdure.sandbox.inside import base_python

USER = 60778
ROOT = Path(__file__).parents[2]
IS_ROOT = os.geteuid() == 0


def environment(**more: str) -> dict[str, str]:
    """Where our modules are, and nothing of this process's own."""
    return {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", **more}


def as_ordinary_user(script: Path, *arguments: str, **more: str) -> tuple[list[str], dict[str, str]]:
    """A command and its environment."""
    command = [sys.executable, str(script), *arguments]
    if not IS_ROOT:
        return command, environment(**more)
    hidden = json.dumps([str(path) for path in (Path(sys.base_prefix), ROOT, Path(sys.prefix))])
    return [str(base_python()), "-I", "-S", launch.__file__, str(USER), hidden, *command], environment(**more)
