"""The trace of a run as spans, made of its row and its steps': pure.

Keys are spelled as the tables of OpenTelemetry's collector spell them, attributes by its conventions
for generative models.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from perdure.kit.clock import iso
from perdure.runs.store import RunRow, StepRow

SECOND = 1_000_000_000


def spans_of(
    run: RunRow, steps: Sequence[StepRow], tools: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """The spans of a run, each after the one it is part of; `tools` are the names of those a step called."""
    begun, ended = _ns(run.created_at), _ns(run.completed_at) if run.completed_at else None
    root = _span(
        run,
        "run",
        begun,
        max(ended - begun, 0) if ended else 0,  # the work alone, `total_duration_ns`, begins later
        status="Error" if run.status == "failed" else "Ok" if ended else "Unset",
        words=(run.error or {}).get("message", ""),
        attributes={"run.id": run.id, "run.status": run.status, "run.stop_reason": run.stop_reason},
    )
    return [root, *_first_token(run, root, run.ttft_ns), *_of_steps(run, root, steps, tools)]


def _of_steps(
    run: RunRow, root: Mapping[str, Any], steps: Iterable[StepRow], tools: Mapping[str, Sequence[str]]
) -> Iterator[dict[str, Any]]:
    for step in steps:
        begun = step.started_ns or _ns(step.created_at)
        parent = _span(
            run,
            "agent_step",
            begun,
            step.step_ns or 0,
            parent=root,
            key=step.id,
            status={"failed": "Error", "pending": "Unset"}.get(step.status, "Ok"),
            words=(step.error_data or {}).get("message", ""),
            attributes={"step.id": step.id, "step.status": step.status, "step.stop_reason": step.stop_reason},
        )
        yield parent
        if step.model_ns is not None:
            yield _span(run, "chat", begun, step.model_ns, parent=parent, attributes=_asked(step))
        if step.tools_ns is not None:
            called = {"gen_ai.tool.names": list(tools.get(step.id, ()))}
            after = begun + (step.model_ns or 0)
            yield _span(run, "execute_tools", after, step.tools_ns, parent=parent, attributes=called)


def _asked(step: StepRow) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": step.provider_name,
        "gen_ai.request.model": step.model,
        "gen_ai.usage.input_tokens": step.tokens.prompt,
        "gen_ai.usage.output_tokens": step.tokens.completion,
    }


def _first_token(run: RunRow, root: Mapping[str, Any], ttft_ns: int | None) -> Iterator[dict[str, Any]]:
    if ttft_ns is not None:
        yield _span(run, "time_to_first_token", _ns(run.created_at), ttft_ns, parent=root)


def _span(
    run: RunRow,
    name: str,
    begun: int,
    duration: int,
    *,
    parent: Mapping[str, Any] | None = None,
    key: str = "",
    status: str = "Ok",
    words: str = "",
    attributes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    above = parent["SpanId"] if parent else ""
    known = {"gen_ai.agent.id": run.agent_id, "gen_ai.conversation.id": run.thread_id, **(attributes or {})}
    return {
        "Timestamp": iso(datetime.fromtimestamp(begun / SECOND, UTC)),
        "TraceId": hashlib.sha256(run.id.encode()).hexdigest()[:32],
        "SpanId": hashlib.sha256(f"{run.id} {above} {name} {key}".encode()).hexdigest()[:16],
        "ParentSpanId": above,
        "SpanName": name,
        "SpanKind": "Server" if parent is None else "Internal",
        "ServiceName": "perdure",
        "SpanAttributes": {name: value for name, value in known.items() if value is not None},
        "Duration": duration,
        "StatusCode": status,
        "StatusMessage": words,
    }


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * SECOND)
