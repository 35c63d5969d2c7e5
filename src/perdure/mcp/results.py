"""What a remote tool returned, as a text for a model. Pure; knows results by their wire's fields."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from perdure.tools.base import Returned

MISSING = object()


def returned(content: Sequence[Mapping[str, Any]], structured: Any, *, failed: bool) -> Returned:
    """The result of a call: its texts, its structured content where the texts do not tell it, notes on files.

    `structured` is None where the server sent none.
    """
    parts = [_part(block) for block in content]
    texts = [str(block.get("text", "")) for block in content if block.get("type") == "text"]
    if structured is None or _told(texts, structured):
        value: Any = "\n".join(parts)
    elif parts:
        value = "\n".join([*parts, json.dumps(structured, ensure_ascii=False)])
    else:
        value = structured
    return Returned(value, "error" if failed else "success")


def _told(texts: Sequence[str], structured: Any) -> bool:
    """Whether the texts say what the structured content does: as JSON, or each of its values."""
    read = [_json(text) for text in texts]
    if structured in read:
        return True
    wrapped = cast("dict[str, Any]", structured) if isinstance(structured, dict) else {}
    if set(wrapped) == {"result"}:
        result = wrapped["result"]
        return result in (*read, *texts, read, list(texts))
    return False


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return MISSING


def _part(block: Mapping[str, Any]) -> str:
    """One block as text: what a model cannot read here is named with its size."""
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text", ""))
    if kind in ("image", "audio"):
        return f"[{kind}: {block.get('mimeType') or 'unknown'}, {_bytes(block.get('data'))} bytes]"
    if kind == "resource_link":
        words = (block.get("title") or block.get("name"), block.get("mimeType"), block.get("description"))
        told = ", ".join(str(word) for word in words if word)
        return f"[resource: {block.get('uri')}{', ' + told if told else ''}]"
    if kind == "resource":
        return _resource(block.get("resource") or {})
    return f"[{kind}]"


def _resource(resource: Mapping[str, Any]) -> str:
    uri, mime = resource.get("uri"), resource.get("mimeType") or "unknown"
    if "text" in resource:
        return f"[resource: {uri}, {mime}]\n{resource['text']}"
    return f"[resource: {uri}, {mime}, {_bytes(resource.get('blob'))} bytes]"


def _bytes(data: Any) -> int:
    try:
        return len(base64.b64decode(str(data or "")))
    except binascii.Error:
        return len(str(data))
