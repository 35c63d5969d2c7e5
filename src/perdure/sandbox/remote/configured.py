"""Which machines a server may use, in the order in which they are tried."""

from collections.abc import Callable, Iterator, Mapping

from perdure.sandbox.remote import docker
from perdure.sandbox.remote.away import Away
from perdure.sandbox.settings import SandboxSettings

# Its name, why it cannot work as far as that is known, how it is made.
Candidate = tuple[str, str | None, Callable[[], Away]]


def configured(settings: SandboxSettings, environment: Mapping[str, str]) -> Iterator[Candidate]:
    """Those that the settings ask for, by the mode or by telling what only they need."""
    if settings.mode == "docker" or (settings.mode == "auto" and settings.docker.image):
        reason = docker.missing(settings.docker, environment)
        yield "docker", reason, lambda: _dockered(settings, environment)


def _dockered(settings: SandboxSettings, environment: Mapping[str, str]) -> Away:
    return Away(docker.Docker(settings.docker, settings.limits, environment), settings.slots)
