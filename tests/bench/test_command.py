"""The bench runs from end to end; what it measures is nothing for a test to judge."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TINY = ("--pairs=2", "--starts=1", "--stored=30", "--levels=2", "--messages=8", "--formats=chat")


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "bench", *arguments)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_every_part_is_measured_and_written_down(tmp_path: Path):
    parts = "message,stream,tool,custom,history,throughput,streams,tail,breakdown"
    done = bench("--only", parts, *TINY, "--json", str(tmp_path / "figures.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads((tmp_path / "figures.json").read_bytes())
    names = {figure["name"] for figure in written["figures"]}
    told = {
        "chat",
        "chat, first token",
        "chat, the tool's call",
        "30 : 10",
        "2 at once",
        "background, a frame",
    }
    assert told | {"save the input, load the context"} <= names
    assert written["circumstances"]["database"] == "sqlite"


def test_a_part_that_does_not_exist_is_named():
    done = bench("--only", "nonsense", *TINY)
    assert done.returncode == 1
    assert "nonsense" in done.stderr
