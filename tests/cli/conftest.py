"""The command line as its user calls it, each test with its own home and environment."""

import contextlib
import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from perdure.cli.main import run


@dataclass
class Said:
    """What a command wrote."""

    stdout: str
    stderr: str


class CommandLine:
    """Runs `perdure …` in this process; `env` may be changed."""

    def __init__(self, home: Path):
        self.home = home
        self.env = {"PERDURE_HOME": str(home), "PERDURE_MODELS_DETECT": "false", "NO_COLOR": "1"}

    def __call__(self, *arguments: str, fails: bool = False) -> Said:
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.env, clear=True),
            patch.object(sys, "argv", ["perdure", *arguments]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            run()
        code = ended.value.code
        said = Said(out.getvalue(), err.getvalue() + (f"{code}\n" if isinstance(code, str) else ""))
        assert (code not in {0, None}) is fails, said
        return said


@pytest.fixture
def perdure(tmp_path):
    return CommandLine(tmp_path / "home")
