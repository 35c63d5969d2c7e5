"""Reads an OpenAPI document down to what clients depend on: names of parameters and fields.

As a program it records the shapes of a document: `python tests/api/shapes.py openapi.json > FILE`.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Shape = dict[str, list[str]]


def shapes(document: dict[str, Any]) -> dict[str, Shape]:
    """For each `METHOD /path`: its query parameters, body fields and answer fields."""
    found: dict[str, Shape] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {re.sub(r'{[^}]+}', '{}', path).rstrip('/')}"
            found[name] = {
                "query": sorted(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"),
                "body": sorted(_fields(document, _content(operation.get("requestBody", {})))),
                "answer": sorted(_fields(document, _content(operation.get("responses", {}).get("200", {})))),
            }
    return found


def _content(holder: dict[str, Any]) -> Any:
    content = holder.get("content", {})
    return content.get("application/json", {}).get("schema", {})


def _fields(document: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> set[str]:
    """The property names of a schema: through references, lists and unions, not into properties."""
    if depth > 6:
        return set()
    names = set(schema.get("properties", ()))
    for inner in _inner(document, schema):
        names |= _fields(document, inner, depth + 1)
    return names


def _inner(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in schema:
        yield document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for union in ("anyOf", "oneOf", "allOf"):
        yield from schema.get(union, ())
    if isinstance(schema.get("items"), dict):
        yield schema["items"]


if __name__ == "__main__":
    print(json.dumps(shapes(json.loads(Path(sys.argv[1]).read_text())), indent=0, sort_keys=True))
