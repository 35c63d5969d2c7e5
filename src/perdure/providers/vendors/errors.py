"""A vendor's failure → our taxonomy. The sentence names the provider and quotes its words."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, cast

import orjson

from perdure.providers.base import (
    ContentFiltered,
    ContextOverflow,
    ModelAuthenticationError,
    ModelBadRequest,
    ModelError,
    ModelQuotaExceeded,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
)

OVERFLOW = re.compile(
    r"context[ _](length|window|size)|maximum context|(prompt|input) is too long|too many (input )?tokens"
    r"|exceed\w* the (maximum|limit|available).{0,40}(token|context)|input token count.{0,40}exceed"
    r"|request_too_large",
    re.IGNORECASE,
)
QUOTA = re.compile(
    r"insufficient_quota|insufficient (balance|credit|fund)|credit balance is too low"
    r"|exceeded your current quota|billing_hard_limit|out of credits|spending limit",
    re.IGNORECASE,
)
FILTERED = re.compile(
    r"content_filter|content[ _](management|filtering)?[ _]?policy|responsibleai|moderation", re.IGNORECASE
)
SAYS: Mapping[type[ModelError], str] = {
    ModelAuthenticationError: "refuses the credentials",
    ModelRateLimited: "asks to slow down",
    ModelQuotaExceeded: "says that the account has no credit left",
    ContextOverflow: "says that the request does not fit the model's context window",
    ModelBadRequest: "does not accept the request",
    ContentFiltered: "refuses this content",
    ModelUnavailable: "failed",
    ModelTimeout: "timed out",
}
STATUS_OF_TYPE = {
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
}
QUOTED = 600


def error_of(provider: str, status: int, body: bytes, headers: Mapping[str, str]) -> ModelError:
    """The error for an HTTP answer that is not a success."""
    code, words = quote(body)
    kind = kind_of(status, f"{code} {words}")
    detail = f"Provider '{provider}' {SAYS[kind]} (HTTP {status}): {words or 'it gave no reason.'}"
    return kind(detail, provider=provider, retry_after=retry_after(headers))


def error_in_stream(provider: str, error: Any) -> ModelError:
    """The error for an `error` object in the middle of a stream."""
    fields: dict[str, Any] = dict(error) if isinstance(error, dict) else {"message": str(error)}  # pyright: ignore[reportUnknownArgumentType]
    code, words = quote(orjson.dumps({"error": fields}))
    number = fields.get("code")
    told = number if isinstance(number, int) and 400 <= number < 600 else None
    status = told or STATUS_OF_TYPE.get(str(fields.get("type")), STATUS_OF_TYPE.get(code, 500))
    kind = kind_of(status, f"{code} {words}")
    return kind(f"Provider '{provider}' {SAYS[kind]} while answering: {words}", provider=provider)


def kind_of(status: int, words: str) -> type[ModelError]:
    """Which error a status and a provider's words mean."""
    if status in (402, 429, 403, 400) and QUOTA.search(words):
        return ModelQuotaExceeded
    if status in (400, 413, 422, 500) and OVERFLOW.search(words):
        return ContextOverflow
    if status in (400, 403, 422) and FILTERED.search(words):
        return ContentFiltered
    by_status = {401: ModelAuthenticationError, 402: ModelQuotaExceeded, 403: ModelAuthenticationError}
    by_status |= {408: ModelTimeout, 413: ContextOverflow, 429: ModelRateLimited}
    by_status |= {409: ModelUnavailable, 425: ModelUnavailable}
    return by_status.get(status, ModelUnavailable if status >= 500 else ModelBadRequest)


def quote(body: bytes) -> tuple[str, str]:
    """The code and the words of an error's body, whatever its shape."""
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", re.sub(r"<[^>]+>|\s+", " ", body.decode(errors="replace")).strip()[:QUOTED]
    if isinstance(value, list) and value:
        value = cast("list[Any]", value)[0]
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("error", cast("Any", value))
    if not isinstance(value, dict):
        return "", str(cast("Any", value))[:QUOTED]
    named = cast("dict[str, Any]", value)
    words = named.get("message") or named.get("detail") or named.get("error") or orjson.dumps(named).decode()
    inner: Any = named.get("metadata")
    if isinstance(inner, dict) and inner.get("raw"):  # OpenRouter: what the vendor behind it said
        words = f"{words} ({inner['raw']})"
    return f"{named.get('code') or ''} {named.get('type') or ''}".strip(), str(words)[:QUOTED]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait before another try, where the provider tells."""
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds:
            return max(0.0, float(milliseconds) / 1000)
        return max(0.0, float(value)) if value else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value or "").timestamp() - time.time())
    except ValueError:
        return None
