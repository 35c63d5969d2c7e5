"""The built-in tool that runs code a model has written, in the sandbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from perdure.sandbox.base import Job, Language, Limits, Outcome, Sandbox
from perdure.tools.base import ToolContext, tool
from perdure.tools.limits import Wishes, limits_of, wishes_of
from perdure.tools.sandboxes.store import sandboxed
from perdure.tools.settings import ToolSettings

Spoken = Literal["python", "js", "ts"]
LANGUAGES: Mapping[Spoken, Language] = {"python": "python", "js": "javascript", "ts": "typescript"}
MOST_TEXT = 10_000  # characters of the files that are shown


@dataclass(frozen=True, slots=True)
class CodeRunner:
    """Where code runs, and what a call of it may use."""

    sandbox: Sandbox
    limits: Limits
    settings: ToolSettings

    async def limits_for(self, ctx: ToolContext) -> Limits:
        """The limits of a call: those of the caller's organization, like its own tools'."""
        shared = await ctx.db.read(sandboxed, ctx.actor, "local")
        organization = wishes_of(shared.config, "your organization's sandbox configuration")
        return limits_of(self.limits, self.settings, organization, Wishes())


@tool("letta_builtin", parallel=True, repeatable=True)
async def run_code(
    runner: CodeRunner, ctx: ToolContext, code: str, language: Spoken, files: dict[str, str] | None = None
) -> dict[str, Any]:
    """Run a program in a sandbox without network. Returns its results, what it printed, and its files.

    The value of the last expression is the result; what is printed is under `logs`. Nothing is kept from call
    to call.

    Args:
        code: The program.
        language: What it is written in: `python`, `js` (JavaScript) or `ts` (TypeScript).
        files: Texts to put beside the program before it runs, by file name.

    Examples:
        run_code(code="import statistics\\nstatistics.median([3, 1, 2])", language="python")
    """
    given = {name: text.encode() for name, text in (files or {}).items()}
    job = Job(
        source=code,
        organization_id=ctx.actor.organization_id,
        language=LANGUAGES[language],
        limits=await runner.limits_for(ctx),
        files=given,
        keep=("*",),
        nested=ctx.actor.tool_of is not None,
    )
    return told(await runner.sandbox.run(job), given)


def told(outcome: Outcome, given: Mapping[str, bytes]) -> dict[str, Any]:
    """What came of a program as the model reads it: pure."""
    answer: dict[str, Any] = {
        "results": [] if outcome.value is None else [outcome.value],
        "logs": {"stdout": _lines(outcome.stdout), "stderr": _lines(outcome.stderr)},
    }
    if outcome.error:
        answer["error"] = outcome.error
    made = {name: content for name, content in outcome.files.items() if given.get(name) != content}
    if made:
        answer["files"] = _files(made)
    if outcome.dropped:
        answer["dropped_bytes"] = outcome.dropped
    return answer


def _lines(text: str) -> list[str]:
    return [text] if text else []


def _files(made: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Name and size of each, and the content of texts as long as all of them are short."""
    room, listed = MOST_TEXT, list[dict[str, Any]]()
    for name, content in sorted(made.items()):
        entry: dict[str, Any] = {"name": name, "size": len(content)}
        text = _text(content) if len(content) <= room * 4 else None
        if text is not None and len(text) <= room:
            room -= len(text)
            entry["content"] = text
        listed.append(entry)
    return listed


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


TOOLS = (run_code,)
