"""What an installation weighs: packages and megabytes of an environment."""

import subprocess
from importlib.metadata import distributions
from pathlib import Path

from bench.report import Report, Target

PACKAGES = Target(60, "")
SIZE = Target(200, "MB")
FROM_THE_START = {"pip", "setuptools", "wheel"}  # of the virtual environment, not of the installation


def weight(report: Report, environment: Path) -> None:
    """Count and weigh the packages of a virtual environment into which only Perdure was installed."""
    report.section(f"Default installation ({environment})")
    libraries = sorted((environment / "lib").glob("python*/site-packages"))
    found = {
        dist.name.lower()
        for library in libraries
        for dist in distributions(path=[str(library)])
        if dist.name.lower() not in FROM_THE_START
    }
    excluded = [f"--exclude={name}*" for name in sorted(FROM_THE_START)]
    size = sum(_megabytes(library, excluded) for library in libraries)
    report.add("packages", len(found), "", target=PACKAGES)
    report.add("size on disk, with compiled files", size, "MB", target=SIZE)


def _megabytes(folder: Path, excluded: list[str]) -> float:
    told = subprocess.run(["du", "-sk", *excluded, folder], check=True, capture_output=True, text=True)
    return int(told.stdout.split()[0]) / 1024
