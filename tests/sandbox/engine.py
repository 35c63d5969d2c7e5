"""Stands for the command `docker` where there is no engine: `run` executes a container's command here.

Only for code of ours. It reads the arguments as the real one does, so that what it does not know is an error.
"""

import argparse
import os
import sys
from pathlib import Path

IMAGES = ("python:test",)


def main() -> None:
    parser = argparse.ArgumentParser(prog="docker", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", allow_abbrev=False)
    for flag in ("--interactive", "--rm", "--read-only", "--no-healthcheck"):
        run.add_argument(flag, action="store_true", required=True)
    for option in (
        *("--name", "--label", "--pull", "--log-driver", "--hostname", "--network", "--ipc", "--user"),
        *("--cap-drop", "--security-opt", "--memory", "--memory-swap", "--pids-limit", "--shm-size"),
        *("--tmpfs", "--entrypoint"),
    ):
        run.add_argument(option, required=True)
    run.add_argument("image")
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    remove = commands.add_parser("rm")
    remove.add_argument("--force", action="store_true")
    remove.add_argument("name")
    options = parser.parse_args()
    with Path(os.environ["DOCKER_CONFIG"]).open("a") as file:
        file.write(f"{options.command} {options.name} {sorted(os.environ)}\n")
    if options.command == "rm":
        return
    if options.image not in IMAGES:
        sys.stderr.write(f"docker: Error response from daemon: No such image: {options.image}.\n")
        sys.stderr.write("See 'docker run --help'.\n")
        sys.exit(125)
    os.execv(sys.executable, [sys.executable, *options.arguments])


main()
