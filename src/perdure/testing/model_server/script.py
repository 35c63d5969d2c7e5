"""What the scripted server answers: verbs, one a line, in the last user text.

    say:text            text, streamed word by word
    count:n             n chunks of text
    think:text          reasoning (with a signature where the format has one)
    redacted:blob       encrypted reasoning without text (Anthropic)
    call:tool {json}    a tool call; the arguments are sent as they stand, valid or not
    fail:429            an HTTP error; `after=2` adds retry-after, `times=2` lets the third try pass
    overflow:           the format's way of saying that the context window is full
    quota: / filter:    no credit left / content refused (HTTP errors)
    refuse: / length:   the answer ends for content or for length
    error:text          an error event in the middle of the stream
    cut: / cut:n        the connection breaks half-way / after n frames
    wait:ms / slow:ms   before the answer / before every frame

`step:` on a line of its own begins the answer to the next request of the same turn (after tools
returned). Without more steps a tool's return is quoted. Anything else is echoed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

FinishKind = Literal["stop", "length", "tool_calls", "content_filter"]
VERB = re.compile(
    r"(say|count|think|redacted|call|fail|overflow|quota|filter|refuse|length|error|cut|wait|slow|step):(.*)",
    re.DOTALL,
)
HALF = -1


@dataclass(slots=True)
class Said:
    """Text of the answer, in the chunks it is sent in."""

    chunks: list[str]


@dataclass(slots=True)
class Thought:
    """Reasoning of the answer; `redacted` has no text, only a blob."""

    chunks: list[str]
    redacted: bool = False


@dataclass(slots=True)
class Called:
    """A tool call with its arguments as text."""

    name: str
    arguments: str

    @property
    def chunks(self) -> list[str]:
        """The arguments in up to four pieces."""
        size = max(1, -(-len(self.arguments) // 4))
        return [self.arguments[start : start + size] for start in range(0, len(self.arguments), size)]


@dataclass(slots=True)
class Failure:
    """An HTTP error instead of an answer, `times` times."""

    status: int
    kind: Literal["", "overflow", "quota", "filter"] = ""
    after: str | None = None
    times: int | None = None


@dataclass(slots=True)
class Script:
    """One answer, ready to be spelled in any format."""

    items: list[Said | Thought | Called] = field(default_factory=list[Said | Thought | Called])
    failure: Failure | None = None
    error: str | None = None
    cut: int | None = None
    wait: float = 0.0
    slow: float = 0.0
    ends: FinishKind | None = None

    @property
    def finish(self) -> FinishKind:
        """Why the answer ends."""
        if self.ends:
            return self.ends
        return "tool_calls" if any(isinstance(item, Called) for item in self.items) else "stop"

    def tokens(self, kind: type[Said | Thought | Called]) -> int:
        """Chunks of one kind, counted as tokens."""
        return sum(len(item.chunks) for item in self.items if isinstance(item, kind))


@dataclass(frozen=True, slots=True)
class Turn:
    """What a format tells of the conversation: the last user text, answers since, tool returns at the end."""

    user: str
    answers: int
    returned: tuple[str, ...]


def script_for(turn: Turn) -> Script:
    """The answer to a conversation in this state."""
    steps = re.split(r"(?m)^step:[^\n]*\n?", turn.user.strip())
    steps = [step for step in steps if step.strip()] or [""]
    if turn.answers < len(steps):
        return read(steps[turn.answers])
    if turn.returned:
        return Script([Said(words("The tool says: " + " | ".join(text[:200] for text in turn.returned)))])
    return read(steps[-1])


def read(text: str) -> Script:
    """Read the verbs of one step; lines without a verb continue the line before."""
    script = Script()
    for verb, rest in _verbs(text):
        _apply(script, verb, rest)
    if not script.items and script.failure is None and script.ends is None and VERB.match(text) is None:
        script.items.append(Said(words("You said: " + text)))
    return script


def words(text: str) -> list[str]:
    """Text in chunks that join to the same text."""
    return re.findall(r"\s*\S+\s*?(?=\s|$)|\s+", text)


def _verbs(text: str) -> Iterable[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in text.split("\n"):
        match = VERB.match(line)
        if match:
            found.append((match[1], match[2]))
        elif found:
            verb, rest = found.pop()
            found.append((verb, f"{rest}\n{line}"))
    return found


def _apply(script: Script, verb: str, rest: str) -> None:
    match verb:
        case "say":
            script.items.append(Said(words(rest)))
        case "count":
            script.items.append(Said([f"w{number} " for number in range(int(rest or 1))]))
        case "think" | "redacted":
            redacted = verb == "redacted"
            script.items.append(Thought([rest] if redacted else words(rest), redacted))
        case "call":
            name, _, arguments = rest.strip().partition(" ")
            script.items.append(Called(name, arguments or "{}"))
        case _:
            _apply_fault(script, verb, rest.strip())


def _apply_fault(script: Script, verb: str, rest: str) -> None:
    match verb:
        case "fail":
            script.failure = _failure(rest)
        case "overflow":
            script.failure = Failure(400, "overflow")
        case "quota":
            script.failure = Failure(429, "quota")
        case "filter":
            script.failure = Failure(400, "filter")
        case "refuse":
            script.ends = "content_filter"
        case "length":
            script.ends = "length"
        case "error":
            script.error = rest or "The server had an error"
        case "cut":
            script.cut = int(rest) if rest else HALF
        case "wait":
            script.wait = float(rest) / 1000
        case "slow":
            script.slow = float(rest) / 1000
        case _:
            pass


def _failure(rest: str) -> Failure:
    status, *options = rest.split()
    named = {key: value for key, _, value in (option.partition("=") for option in options)}
    after = named.get("after", "1" if status == "429" else None)
    times = int(named["times"]) if "times" in named else None
    return Failure(int(status), after=after, times=times)


def text_of(content: Any) -> str:
    """The text of a message's content, in whatever shape the formats give it."""
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = content or []
    return "\n".join(part["text"] for part in parts if "text" in part)


def last_text_of(content: Any) -> str:
    """The text said last: some formats carry several user messages as the parts of one."""
    if isinstance(content, str):
        return content
    return next((part["text"] for part in reversed(content or []) if "text" in part), "")
