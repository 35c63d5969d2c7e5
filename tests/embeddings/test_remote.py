"""Providers' embedding models: what is asked, and every way it can go wrong."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.embeddings import remote
from perdure.embeddings.base import EmbeddingUnavailable, unit
from perdure.embeddings.remote import BATCH_CHARACTERS, BATCH_TEXTS, MOST_CHARACTERS, RemoteEmbedder, batches
from perdure.embeddings.settings import EmbeddingSettings
from perdure.providers import vendors

from .conftest import vector


@pytest.fixture
async def embedder(embedding_server, monkeypatch):
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    settings = EmbeddingSettings(query_seconds=0.2, passage_seconds=2)
    yield RemoteEmbedder(embedding_server.model(), 8, settings, vendors.embed)
    await vendors.close_pool()


async def test_vectors_come_in_order_and_of_unit_length(embedder, embedding_server):
    made = await embedder.embed(["one two", "three"], "passage")
    assert made == [unit(vector("one two", 8)), unit(vector("three", 8))]
    assert embedder.space == "mine/words@8"


async def test_many_texts_go_in_batches(embedder, embedding_server):
    made = await embedder.embed([f"text {n}" for n in range(BATCH_TEXTS + 1)], "passage")
    assert len(made) == BATCH_TEXTS + 1
    assert [len(texts) for texts in embedding_server.asked] == [BATCH_TEXTS, 1]


@pytest.mark.parametrize("fault", [429, 500, 503, "junk"])
async def test_what_may_pass_is_tried_again(embedder, embedding_server, fault):
    embedding_server.faults.extend([fault, fault])
    assert len(await embedder.embed(["x"], "passage")) == 1
    assert len(embedding_server.asked) == 3


@pytest.mark.parametrize("fault", [429, 500, "junk"])
async def test_what_does_not_pass_is_told_and_is_worth_a_try_later(embedder, embedding_server, fault):
    embedding_server.always = fault
    with pytest.raises(EmbeddingUnavailable, match="mine") as caught:
        await embedder.embed(["x"], "passage")
    assert caught.value.again


@pytest.mark.parametrize("fault", [400, 401, 404])
async def test_a_refusal_is_told_at_once(embedder, embedding_server, fault):
    embedding_server.always = fault
    with pytest.raises(EmbeddingUnavailable, match="scripted") as caught:
        await embedder.embed(["x"], "passage")
    assert not caught.value.again
    assert len(embedding_server.asked) == 1


async def test_vectors_of_other_dimensions_are_refused(embedder, embedding_server):
    embedding_server.always = 16
    with pytest.raises(EmbeddingUnavailable, match="answered 16 dimensions; its vectors have 8") as caught:
        await embedder.embed(["x"], "passage")
    assert not caught.value.again


async def test_a_question_waits_little_and_is_not_asked_again_for_a_while(embedder, embedding_server):
    embedding_server.faults.append("slow")
    began = time.monotonic()
    with pytest.raises(EmbeddingUnavailable, match=r"within 0\.2 seconds"):
        await embedder.embed(["x"], "query")
    with pytest.raises(EmbeddingUnavailable, match="a moment ago"):
        await embedder.embed(["x"], "query")
    assert time.monotonic() - began < 0.45
    assert len(embedding_server.asked) == 1
    assert len(await embedder.embed(["x"], "passage")) == 1


async def test_a_server_that_is_not_there_is_told(embedding_server, monkeypatch):
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    model = embedding_server.model()
    gone = RemoteEmbedder(model, 8, EmbeddingSettings(), vendors.embed)
    object.__setattr__(model.endpoint, "base_url", "http://127.0.0.1:9/v1")
    with pytest.raises(EmbeddingUnavailable, match="cannot be reached") as caught:
        await gone.embed(["x"], "passage")
    assert caught.value.again
    await vendors.close_pool()


@given(st.lists(st.integers(0, 2 * MOST_CHARACTERS), max_size=200))
def test_batches_are_bounded_and_keep_the_order(lengths):
    texts = ["x" * length for length in lengths]
    made = batches(texts)
    assert [text for batch in made for text in batch] == texts
    for batch in made:
        assert 0 < len(batch) <= BATCH_TEXTS
        assert len(batch) == 1 or sum(min(len(text), MOST_CHARACTERS) for text in batch) <= BATCH_CHARACTERS
