"""A server that is root starts its zygotes as somebody else, who owns nothing."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from perdure.sandbox.inside import GUEST, base_python


def launcher(user: int | None, shown: Sequence[Path]) -> tuple[str, ...]:
    """What is put before a command so that it runs as `user` and reaches these paths; nothing unless root."""
    if user is None or os.geteuid() != 0:
        return ()
    hidden = [str(path) for path in shown if not _is_reachable(path)]
    return (str(base_python()), "-I", "-S", "-B", str(GUEST / "launch.py"), str(user), json.dumps(hidden))


def _is_reachable(path: Path) -> bool:
    """Whether everybody may enter all folders above."""
    return all(parent.stat().st_mode & 0o1 for parent in path.resolve().parents)


def is_root() -> bool:
    """Whether this server could do anything."""
    return sys.platform == "linux" and os.geteuid() == 0
