"""Pages of what was said: every message exactly once, in every direction."""

from typing import Any

import pytest

from perdure.content.parts import Reasoning, Text, ToolCall
from perdure.kit.errors import NotFound
from perdure.kit.paging import Page
from perdure.messages import store
from perdure.messages.history import Wanted, list_messages, show_message
from perdure.messages.store import Draft
from perdure.tenancy.actor import Actor

ANSWER = (Reasoning("hm"), Text("so"), ToolCall("c", "search", "{}"))


@pytest.fixture
async def history(shared_database, actor, agent_id):
    """Eleven stored messages of one to three pieces; reads pages of them."""
    drafts = [Draft("user", (Text("?"),)) if i % 3 else Draft("assistant", ANSWER) for i in range(10)]
    thread = await shared_database.read(store.get_thread, actor, agent_id)
    await shared_database.write(store.append, thread, drafts)

    async def read(actor: Actor = actor, types: Any = None, **page: Any) -> list[Any]:
        wanted = Wanted(agent_id=agent_id, types=types)
        return await shared_database.read(list_messages, actor, Page(**page), wanted)

    return read


def marks(pieces: list[Any]) -> list[tuple[str, str]]:
    return [(piece.id, piece.message_type) for piece in pieces]


async def walked(history: Any, cursor: str, order: str, limit: int, types: Any) -> list[Any]:
    """All pages, each from where the last one ended, in the order of the walk."""
    seen: list[Any] = []
    ends: dict[str, str] = {}
    if cursor == "before":
        ends = {"before": (await history(order="asc", limit=1000))[-1].id}
    while page := await history(order=order, limit=limit, types=types, **ends):
        seen = page + seen if cursor == "before" else seen + page
        ends = {cursor: page[0 if cursor == "before" else -1].id}
    return seen


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("types", [None, ["user_message"], ["reasoning_message", "tool_call_message"]])
async def test_every_piece_is_visited_exactly_once(history, order, limit, types):
    whole = marks(await history(order=order, limit=1000, types=types))
    assert marks(await walked(history, "after", order, limit, types)) == whole
    forward = whole if order == "asc" else whole[::-1]
    newest = (await history(order="asc", limit=1000))[-1].id
    older = [mark for mark in forward if mark[0] != newest]
    assert marks(await walked(history, "before", order, limit, types)) == older


async def test_the_two_orders_mirror_each_other(history):
    forward, backward = await history(order="asc", limit=1000), await history(order="desc", limit=1000)
    assert marks(forward) == marks(backward)[::-1]
    assert len(forward) == 1 + 6 + 4 * 3


async def test_a_window_lies_between_two_cursors(history):
    ids = list(dict.fromkeys(piece.id for piece in await history(order="asc", limit=1000)))
    window = await history(order="asc", after=ids[2], before=ids[6], limit=1000)
    assert {piece.id for piece in window} == set(ids[3:6])


async def test_an_unknown_cursor_is_told(history, actor):
    for field in ("before", "after"):
        with pytest.raises(NotFound, match="no message message-x"):
            await history(**{field: "message-x"})


async def test_a_rare_type_is_found_without_a_query_for_every_message(history, shared_database):
    from sqlalchemy import event

    engine = getattr(shared_database.engine, "sync_engine", shared_database.engine)
    statements: list[str] = []

    def note(conn, cursor, statement, *rest):
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        await history(types=["summary_message"], limit=1)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert sum("messages" in statement for statement in statements) <= 5


async def test_one_message_is_shown_as_its_pieces_to_its_owner(history, shared_database, actor):
    answer = (await history(limit=1, types=["tool_call_message"]))[0]
    pieces = await shared_database.read(show_message, actor, answer.id)
    assert [piece.message_type for piece in pieces] == [
        "reasoning_message",
        "assistant_message",
        "tool_call_message",
    ]
    with pytest.raises(NotFound):
        await shared_database.read(show_message, Actor("org-2"), answer.id)
    assert await history(actor=Actor("org-2")) == []
