"""Conversations stored as archives of a V1 server, and questions searched there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from bench.retrieval.locomo import Conversation, Question

MODES = {
    "lexical": "fts",
    "fused": "hybrid",
    "vector": "vector",
}  # a question's vector is new when fused asks
MOST = 50
BAD_REQUEST = 400
PATIENCE = 900.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one search found, by names of turns, and how long it took."""

    conversation: str
    question: Question
    found: list[str]
    ms: float


@contextmanager
def stored(client: httpx.Client, conversation: Conversation) -> Iterator[tuple[str, dict[str, str]]]:
    """An archive of a conversation, a passage per turn, while it is needed: its id, and turns by passage."""
    archive = _called(client.post("/v1/archives/", json={"name": f"bench {conversation.name}"}))["id"]
    try:
        passages = [{"text": text} for text in conversation.turns.values()]
        made = _called(client.post(f"/v1/archives/{archive}/passages/batch", json={"passages": passages}))
        yield archive, {row["id"]: name for row, name in zip(made, conversation.turns, strict=True)}
    finally:
        client.delete(f"/v1/archives/{archive}")


def until_embedded(
    client: httpx.Client, archive: str, conversation: Conversation, turns: dict[str, str]
) -> bool:
    """Wait until the last passage is found by its vector; whether there are vectors at all."""
    last = list(turns)[-1]
    text = list(conversation.turns.values())[-1]
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if last in [row["passage"]["id"] for row in _by_vectors(client, archive, text)]:
            return True
        if not _called(client.get(f"/v1/archives/{archive}")).get("embedding"):
            return False
        time.sleep(0.25)
    raise SystemExit(f"The archive of {conversation.name} was not embedded within {PATIENCE:g} s.")


def ask(
    client: httpx.Client, archive: str, conversation: Conversation, turns: dict[str, str], mode: str
) -> Iterator[Answer]:
    """Search for each question."""
    for question in conversation.questions:
        began = time.perf_counter()
        rows = _search(client, archive, question.text, MODES[mode])
        ms = (time.perf_counter() - began) * 1000
        yield Answer(conversation.name, question, [turns[row["passage"]["id"]] for row in rows], ms)


def _search(client: httpx.Client, archive: str, query: str, mode: str) -> list[dict[str, dict[str, str]]]:
    body = {"query": query, "archive_id": archive, "search_mode": mode, "limit": MOST}
    return _called(client.post("/v1/passages/search", json=body))


def _by_vectors(client: httpx.Client, archive: str, query: str) -> list[dict[str, dict[str, str]]]:
    """The nearest passages; none where there are no vectors yet, which is refused."""
    body = {"query": query, "archive_id": archive, "search_mode": "vector", "limit": MOST}
    response = client.post("/v1/passages/search", json=body)
    return [] if response.status_code == BAD_REQUEST else _called(response)


def _called(response: httpx.Response) -> Any:
    if response.is_error:
        raise SystemExit(f"{response.request.url}: {response.status_code} {response.text}")
    return response.json()
