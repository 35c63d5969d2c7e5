"""Reading a stored exchange with a provider."""

import zlib
from typing import Any

import orjson
from sqlalchemy import Row

from perdure.runs.schemas import ProviderTrace


def read_trace(row: Row[Any]) -> ProviderTrace:
    """The trace of a row; what is not JSON comes as text, a stream as its events."""
    return ProviderTrace(
        id=row.id,
        step_id=row.step_id,
        request_json={"url": row.url, **_object(zlib.decompress(row.request))},
        response_json={"status": row.status, **_object(zlib.decompress(row.response))},
        created_at=row.created_at,
    )


def _object(raw: bytes) -> dict[str, Any]:
    value = _json(raw)
    if isinstance(value, dict):
        return value  # type: ignore[return-value]
    events = [_json(line[5:].strip()) for line in raw.splitlines() if line.startswith(b"data:")]
    return {"events": events} if events else {"text": raw.decode(errors="replace")}


def _json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw.decode(errors="replace")
