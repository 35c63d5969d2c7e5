"""The setting that the name of its group stands for."""

from pathlib import Path

import pytest

from perdure.config import load_settings
from perdure.config.environment import ConfigurationError


def test_a_group_s_own_name_sets_its_mode(tmp_path: Path):
    read = load_settings(
        {"PERDURE_SANDBOX": "unsafe-local", "PERDURE_SANDBOX_CPU_SECONDS": "3"}, home=tmp_path
    )
    assert (read.sandbox.mode, read.sandbox.limits.cpu_seconds) == ("unsafe-local", 3)


def test_a_wrong_mode_is_told_with_its_variable(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"PERDURE_SANDBOX\).*unsafe-local"):
        load_settings({"PERDURE_SANDBOX": "gvisor"}, home=tmp_path)
