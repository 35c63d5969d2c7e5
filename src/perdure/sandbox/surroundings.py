"""What the sandbox knows of its server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where and within what the sandbox works.

    folder: where environments are kept. environment: variables that tell package clients their index.
    networks: reachable for jobs with a grant although they are not public.
    """

    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    networks: Sequence[IPv4Network | IPv6Network] = ()
