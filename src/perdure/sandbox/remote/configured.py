"""Which machines a server may use, in the order in which they are tried."""

import importlib.util
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
    if settings.mode == "e2b" or (settings.mode == "auto" and settings.e2b.api_key):
        key = settings.e2b.api_key.get_secret_value() if settings.e2b.api_key else None
        key = key or environment.get("E2B_API_KEY")
        yield "e2b", _without_e2b(key), lambda: _of_e2b(settings, str(key))


def _without_e2b(key: str | None) -> str | None:
    if importlib.util.find_spec("e2b") is None:
        return "its client is not installed: pip install 'perdure[e2b]'"
    return None if key else "no key is set (PERDURE_SANDBOX_E2B_API_KEY)"


def _of_e2b(settings: SandboxSettings, key: str) -> Away:
    from perdure.sandbox.remote.e2b import E2b  # noqa: PLC0415 - imports the SDK

    return Away(E2b(settings.e2b, key), settings.slots)


def _dockered(settings: SandboxSettings, environment: Mapping[str, str]) -> Away:
    return Away(docker.Docker(settings.docker, settings.limits, environment), settings.slots)
