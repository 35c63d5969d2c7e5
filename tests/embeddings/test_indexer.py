"""What waits for vectors gets them, whatever becomes of the models; search goes on meanwhile."""

import asyncio
import time

import pytest
from sqlalchemy import Column, MetaData, String, Table, Text, insert

from perdure.db.search import NewEntry, Wanted, corpus, index, pending, respace, search
from perdure.embeddings import indexer as indexing
from perdure.embeddings import remote
from perdure.embeddings.base import NONE, EmbeddingUnavailable
from perdure.embeddings.catalog import Embeddings
from perdure.embeddings.indexer import Indexer
from perdure.embeddings.offline.model import inside
from perdure.embeddings.settings import OFFLINE, EmbeddingSettings
from perdure.kit.errors import InvalidArgument
from perdure.providers import vendors
from perdure.providers.catalog import Models, UnknownEmbedding
from perdure.providers.environment import base_provider
from perdure.tenancy.actor import Actor
from perdure.tenancy.keyring import KeyRing

ME = Actor()
MINE = "mine/words"


@pytest.fixture
def notes():
    metadata = MetaData()
    items = Table("notes", metadata, Column("id", String, primary_key=True), Column("text", Text))
    return corpus(items, items.c.text)


@pytest.fixture
async def embeddings(database, embedding_server):
    row = base_provider("environment", "mine", "openai", api_key="sk", base_url=embedding_server.url + "/v1")
    models = Models(database, KeyRing([b"k" * 32]), providers=[row], inside=inside())
    embeddings = Embeddings(models, EmbeddingSettings(query_seconds=5, threads=1))
    yield embeddings
    await embeddings.close()
    await models.close()
    await vendors.close_pool()


@pytest.fixture
async def indexer(database, embeddings, notes, monkeypatch):
    monkeypatch.setattr(indexing, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(indexing, "FIRST_REST", 0.05)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(remote, "REST_SECONDS", 0.1)
    await database.write(notes.entries.metadata.create_all)
    indexer = Indexer(database, embeddings, [notes])
    await indexer.start()
    yield indexer
    await indexer.close()


async def add(indexer, *texts, space="mine/words@8", scope="scope"):
    def store(conn):
        rows = [{"id": f"note-{scope}-{text}", "text": text} for text in texts]
        conn.execute(insert(notes.items), rows)
        entries = [NewEntry(row["id"], scope, row["text"], space) for row in rows]
        index(conn, notes, ME.organization_id, entries)
        return [row["id"] for row in rows]

    [notes] = indexer.corpora
    return await indexer._db.write(store)


async def found(indexer, embeddings, text, space="mine/words@8"):
    vectors = await embeddings.query_vectors(ME, text, [space])
    wanted = Wanted(ME.organization_id, text, vectors=vectors)
    return await indexer._db.read(search, indexer.corpora[0], wanted)


async def until_embedded(indexer, ids, seconds=10):
    [notes] = indexer.corpora
    async with asyncio.timeout(seconds):
        while await indexer._db.read(pending, notes, 1):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await indexer.settle(notes, ids, 0.1)


async def test_what_is_stored_is_found_by_words_at_once_and_by_meaning_soon(indexer, embeddings):
    ids = await add(indexer, "a violin", "a piano")
    assert (await found(indexer, embeddings, "violins"))[0].id == ids[0]
    await indexer.settle(indexer.corpora[0], ids, 10)
    hits = await found(indexer, embeddings, "violin")
    assert hits[0].id == "note-scope-a violin"
    assert hits[0].vector_score > hits[1].vector_score


async def test_a_provider_that_is_down_is_waited_for(indexer, embeddings, embedding_server):
    embedding_server.always = 503
    ids = await add(indexer, "a violin", "a piano")
    began = time.monotonic()
    await indexer.settle(indexer.corpora[0], ids, 20)
    assert time.monotonic() - began < 10, "nobody waits for a model that is down"
    [hit] = await found(indexer, embeddings, "piano")
    assert (hit.id, hit.vector_rank) == ("note-scope-a piano", None)
    embedding_server.always = None
    await until_embedded(indexer, ids)
    await asyncio.sleep(0.1)
    assert (await found(indexer, embeddings, "piano"))[0].vector_rank == 1


async def test_a_model_that_is_down_holds_up_no_other(indexer, embedding_server):
    embedding_server.always = 500
    await add(indexer, "a violin", space="mine/words@8")
    ids = await add(indexer, "a piano", space=f"{OFFLINE}@384", scope="other")
    await indexer.settle(indexer.corpora[0], ids, 20)
    assert [row.text for row in await indexer._db.read(pending, indexer.corpora[0], 5)] == ["a violin"]


async def test_a_text_that_is_refused_harms_no_other(indexer, embedding_server):
    embedding_server.refused = {"bad"}
    await add(indexer, "one", "bad", "two", "three")
    [notes] = indexer.corpora
    async with asyncio.timeout(10):
        while len(left := await indexer._db.read(pending, notes, 5)) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert [row.text for row in left] == ["bad"]
    ids = await add(indexer, "four", scope="later")
    await indexer.settle(notes, ids, 10)
    assert [row.text for row in await indexer._db.read(pending, notes, 5)] == ["bad"]


async def test_another_model_takes_over_while_the_old_vectors_serve(indexer, embeddings):
    await until_embedded(indexer, await add(indexer, "a violin", "a piano"))
    [notes] = indexer.corpora
    offline = f"{OFFLINE}@384"
    await indexer.close()
    await indexer._db.write(respace, notes, ["scope"], offline)
    assert (await found(indexer, embeddings, "violin"))[0].vector_rank == 1
    await indexer.start()
    await until_embedded(indexer, [])
    assert (await found(indexer, embeddings, "a string instrument", offline))[0].vector_rank == 1


async def test_what_waited_when_the_server_stopped_is_done_after_its_start(indexer):
    await indexer.close()
    ids = await add(indexer, *(f"text {n}" for n in range(indexing.BATCH + 10)))
    await indexer.start()
    await until_embedded(indexer, ids)


async def test_handles_lead_to_models(embeddings, embedding_server):
    inside = await embeddings.resolve(ME, None)
    assert (inside.handle, inside.dimensions) == (OFFLINE, 384)
    assert (await embeddings.resolve(ME, "letta/letta-free")) is inside
    assert await embeddings.resolve(ME, NONE) is None
    mine = await embeddings.resolve(ME, MINE)
    assert mine.space == "mine/words@8"
    assert embedding_server.asked == [["dimensions"]]
    assert (await embeddings.resolve(ME, "mine/text-embedding-3-small")).dimensions == 1536
    with pytest.raises(UnknownEmbedding):
        await embeddings.resolve(ME, "nobody/words")
    with pytest.raises(InvalidArgument, match="must have the form"):
        await embeddings.resolve(ME, "words")


async def test_a_model_whose_dimensions_nobody_knows_needs_its_provider(embeddings, embedding_server):
    embedding_server.always = 500
    with pytest.raises(EmbeddingUnavailable) as caught:
        await embeddings.resolve(ME, MINE)
    assert caught.value.status == 503
    assert await embeddings.query_vectors(ME, "x", ["mine/words@8", "gone/words@8"]) == {}


async def test_configs_tell_what_is_known_without_asking(embeddings, embedding_server):
    config = await embeddings.config(ME, None)
    assert (config.handle, config.embedding_dim, config.embedding_endpoint_type) == (
        OFFLINE,
        384,
        "hugging-face",
    )
    assert (await embeddings.config(ME, MINE)).embedding_dim == 0
    assert (await embeddings.config(ME, "gone/text-embedding-3-large")).embedding_dim == 3072
    assert await embeddings.config(ME, NONE) is None
    assert embedding_server.asked == []


async def test_without_the_packages_search_is_by_words(database, monkeypatch, caplog):
    monkeypatch.setattr("perdure.embeddings.catalog.is_installed", lambda: False)
    models = Models(database, KeyRing([b"k" * 32]))
    embeddings = Embeddings(models)
    assert "not installed" in caplog.text
    assert await embeddings.resolve(ME, None) is None
    with pytest.raises(InvalidArgument, match="not installed"):
        await embeddings.resolve(ME, OFFLINE)
    await embeddings.close()
    await models.close()
