"""Which model file a `local` provider runs, and how much window it is given."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from perdure.kit.errors import InvalidArgument
from perdure.providers.endpoint import Endpoint

CONTEXT = 8192


@dataclass(frozen=True, slots=True)
class Weights:
    """A model file and the window it is given."""

    path: Path
    context: int = CONTEXT

    @property
    def name(self) -> str:
        """The name of the model in handles."""
        return self.path.stem


def weights_of(endpoint: Endpoint) -> Weights:
    """The file that an endpoint names."""
    parts = urlsplit(endpoint.base_url or "")
    path = Path(unquote(parts.path)).expanduser()
    if not path.is_file():
        raise InvalidArgument(
            f"Provider '{endpoint.name}': there is no model file at {str(path)!r}; "
            "base_url must be the path of a .gguf file."
        )
    context = parse_qs(parts.query).get("context", [str(CONTEXT)])[0]
    return Weights(path, int(context) if context.isdecimal() else CONTEXT)
