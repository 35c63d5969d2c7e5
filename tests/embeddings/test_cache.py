"""What is made twice, and what is remembered."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from perdure.embeddings.base import unit
from perdure.embeddings.cache import Cache, CachedEmbedder


class Counting:
    handle, dimensions, space = "a/b", 1, "a/b@1"

    def __init__(self):
        self.made = []

    async def embed(self, texts, _purpose):
        self.made += texts
        return [unit([len(text) + 1.0]) + text.encode() for text in texts]


async def test_a_text_is_embedded_once_for_each_purpose_and_owner():
    inner, cache = Counting(), Cache(10)
    mine, theirs = CachedEmbedder(inner, cache, "org-1"), CachedEmbedder(inner, cache, "org-2")
    assert await mine.embed(["a", "b", "a"], "passage") == await inner.embed(["a", "b", "a"], "passage")
    inner.made.clear()
    await mine.embed(["a", "c"], "passage")
    await mine.embed(["a"], "query")
    await theirs.embed(["a"], "passage")
    assert inner.made == ["c", "a", "a"]


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=5), max_size=10), st.integers(0, 4))
def test_any_size_of_cache_gives_the_same_vectors(asked, most):
    async def ask():
        cached = CachedEmbedder(Counting(), Cache(most), "")
        for texts in asked:
            assert await cached.embed(texts, "query") == await Counting().embed(texts, "query")

    asyncio.run(ask())
