"""From a tool and a call of it to a job for the sandbox, and from its outcome to what is returned. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from perdure.sandbox.base import Job, Language, Limits, Network, Outcome, Requirements
from perdure.tools.base import Returned, ToolFailed
from perdure.tools.custom.redact import Redact, redacted
from perdure.tools.custom.source import Source
from perdure.tools.dispatch import MAX_ERROR_CHARS
from perdure.tools.limits import hosts_of, limits_of, wishes_of
from perdure.tools.requirements import Kind, requirement_line
from perdure.tools.settings import ToolSettings

LANGUAGES: Mapping[str, Language] = {"typescript": "typescript", "javascript": "javascript"}
UNREACHABLE = re.compile(
    r"gaierror|getaddrinfo|name resolution|name or service|EAI_AGAIN|ENETUNREACH|network is unreachable|"
    r"ConnectError|ConnectionError|fetch failed|URLError|ENOTFOUND",
    re.IGNORECASE,
)
NO_NETWORK = "Tools reach no hosts here; PERDURE_TOOLS_HOSTS names those they may."


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a tool, stored or not, and what is said about how it runs."""

    name: str
    source: str
    language: Language = "python"
    parameters: frozenset[str] = frozenset()
    requirements: Requirements = field(default_factory=Requirements)
    metadata: Mapping[str, Any] | None = None
    id: str | None = None


def language_of(source_type: str | None) -> Language:
    """The language of a `source_type`; Python where it names none, as older clients do."""
    return LANGUAGES.get((source_type or "").lower(), "python")


def requirements_of(*wanted: Mapping[str, Any]) -> Requirements:
    """All packages of `pip_requirements` and `npm_requirements`, each once."""
    pip = [line for each in wanted for line in _lines_of("pip", each.get("pip_requirements"))]
    npm = [line for each in wanted for line in _lines_of("npm", each.get("npm_requirements"))]
    return Requirements(tuple(dict.fromkeys(pip)), tuple(dict.fromkeys(npm)))


def _lines_of(kind: Kind, packages: Iterable[Any] | None) -> Iterator[str]:
    """Requirements as installers read them; configurations of e2b and Modal have them so already."""
    for package in packages or ():
        try:
            yield (
                package
                if isinstance(package, str)
                else requirement_line(kind, package["name"], package.get("version"))
            )
        except ValueError as error:
            raise ToolFailed(f"A requirement is not right: {error}.") from error


def job_of(
    code: Code,
    source: Source,
    organization_id: str,
    env: Mapping[str, str],
    limits: Limits,
    settings: ToolSettings,
    shared: Mapping[str, Any],
) -> Job:
    """The job of a call, but for its arguments; `shared` is the organization's configuration."""
    organization = wishes_of(shared, "your organization's sandbox configuration")
    tool = wishes_of(code.metadata, f"the tool {code.name}")
    common = requirements_of(shared)
    if code.language == "python":
        requirements = Requirements((*common.pip, *code.requirements.pip))
    else:
        requirements = Requirements((), (*common.npm, *code.requirements.npm))
    return Job(
        code.source,
        organization_id,
        source.function,
        prelude=source.prelude,
        language=code.language,
        env=env,
        limits=limits_of(limits, settings, organization, tool),
        network=Network(hosts_of(settings, organization, tool)),
        requirements=requirements,
    )


def returned(name: str, outcome: Outcome, redact: Redact, *, network: bool) -> Returned:
    """What model and caller are told of an outcome."""
    cut = outcome.dropped > 0
    stdout, stderr = redact(outcome.stdout, cut=cut), redact(outcome.stderr, cut=cut)
    if outcome.status == "success":
        return Returned(redacted(outcome.value, redact), "success", _lines(stdout), _lines(stderr))
    said = redact(outcome.error or "it failed")
    if not network and UNREACHABLE.search(said):
        said = f"{said} ({NO_NETWORK})"
    if said not in stderr:
        stderr = "\n".join(filter(None, (stderr.rstrip("\n"), said)))
    line = f"Error executing function {name}: {said}"[:MAX_ERROR_CHARS]
    return Returned(line, "error", _lines(stdout), _lines(stderr))


def _lines(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def layered(layers: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """An environment of layers; later ones win."""
    return {name: value for layer in layers for name, value in layer.items()}
