"""By which names the packages of a folder are imported."""

from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NO_MODULES = ("test", "tests", "docs", "examples", "bin")


def modules_of(folder: Path, lines: Iterable[str]) -> list[str]:
    """The importable names of what is required itself, not of what that depends on."""
    wanted = {canonicalize_name(Requirement(line).name) for line in lines}
    found = distributions(path=[str(folder)])
    return sorted(
        {
            name
            for distribution in found
            if canonicalize_name(distribution.metadata["Name"]) in wanted
            for name in _names(distribution)
            if name.isidentifier() and not name.startswith("_") and name not in NO_MODULES
        }
    )


def _names(distribution: Distribution) -> Iterator[str]:
    """The first step of each file's path that Python could import."""
    for file in distribution.files or ():
        if file.suffix in (".py", ".so", ".pyd"):
            first = file.parts[0]
            yield first if len(file.parts) > 1 else first.partition(".")[0]
