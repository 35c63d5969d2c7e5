"""Sources of others are read in silence, and long ones where they hold nobody up."""

import subprocess
import sys
import threading

from perdure.tools.derive.parse import SHORT, aside

ODD = r"""
from perdure.tools.custom.source import read_source
from perdure.tools.derive import schema_from_source

source = 'def f(a: "list[Literal[\'\\d\']]" = "\\d"):\n    \"\"\"Do \\d.\"\"\"\n    return client.x is 1'
schema_from_source(source)
read_source(source, "f", "python")
"""


def test_odd_escapes_are_no_news_of_ours_even_where_warnings_are_errors() -> None:
    command = [sys.executable, "-W", "error", "-c", ODD]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


async def test_only_a_long_source_is_read_in_a_thread() -> None:
    here = threading.get_ident()
    assert await aside("x" * SHORT, threading.get_ident) == here
    assert await aside(None, threading.get_ident) == here
    assert await aside("x" * (SHORT + 1), threading.get_ident) != here
