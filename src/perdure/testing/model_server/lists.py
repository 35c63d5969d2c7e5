"""Model lists and embeddings, as the scripted server speaks them."""

import base64
import math
import struct
import zlib
from collections.abc import Mapping
from typing import Any

MODELS = ("scripted", "gpt-4o-mini", "gpt-5-mini", "claude-haiku-4-5", "text-embedding-scripted")
WINDOW = 32_768
DIMENSIONS = 384


def models(path: str, headers: Mapping[str, str]) -> dict[str, Any] | None:
    """The answer to a GET for a model list in the vendor's shape; None for other paths."""
    match path:
        case "/v1/models" | "/models" if "anthropic-version" in headers:
            rows: list[dict[str, Any]] = [
                {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
                for name in MODELS
            ]
            return {"data": rows, "has_more": False, "first_id": rows[0]["id"], "last_id": rows[-1]["id"]}
        case "/v1/models" | "/models":
            rows = [
                {"id": name, "object": "model", "created": 1, "owned_by": "test", "max_model_len": WINDOW}
                for name in MODELS
            ]
            return {"object": "list", "data": rows}
        case "/api/tags":
            return {"models": [{"name": name, "model": name} for name in MODELS]}
        case "/api/v0/models":
            rows = [
                {
                    "id": name,
                    "object": "model",
                    "type": "embeddings" if "embedding" in name else "llm",
                    "max_context_length": WINDOW,
                    "loaded_context_length": WINDOW // 2,
                }
                for name in MODELS
            ]
            return {"object": "list", "data": rows}
        case "/v1beta/models":
            rows = [
                {
                    "name": f"models/{name}",
                    "inputTokenLimit": WINDOW,
                    "outputTokenLimit": WINDOW // 4,
                    "supportedGenerationMethods": [
                        "embedContent" if "embedding" in name else "generateContent"
                    ],
                }
                for name in MODELS
            ]
            return {"models": rows}
        case _:
            return None


def show(body: Mapping[str, Any]) -> dict[str, Any]:
    """Ollama's description of one model."""
    name = str(body.get("model") or body.get("name"))
    abilities = ["embedding"] if "embedding" in name else ["completion", "tools"]
    info = {
        "general.architecture": "test",
        "test.context_length": WINDOW,
        "test.embedding_length": DIMENSIONS,
    }
    return {"capabilities": abilities, "model_info": info}


def embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Vectors of hashed words: the same text is always near itself, shared words bring texts nearer."""
    given: Any = body["input"]
    texts: list[str] = [given] if isinstance(given, str) else given
    size = int(body.get("dimensions") or DIMENSIONS)
    rows: list[dict[str, Any]] = []
    for index, text in enumerate(texts):
        vector: Any = _vector(text, size)
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        rows.append({"object": "embedding", "index": index, "embedding": vector})
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": body.get("model"), "usage": usage}


def _vector(text: str, size: int) -> list[float]:
    values = [0.0] * size
    for word in text.lower().split():
        values[zlib.crc32(word.encode()) % size] += 1.0
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]
