"""Searching what was said, by its words. One search for the agents' tool and for clients."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, or_, select

from perdure.messages.store import MessageRow, in_thread, message_row
from perdure.messages.tables import messages, threads
from perdure.tenancy.actor import Actor, is_owned, owned

MAX_WORDS = 32


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; null means any. From `start` on, before `end`; nothing of `except_run`.

    `thread_id` `default` means the agents' own histories, outside of any conversation.
    """

    query: str = ""
    roles: Sequence[str] = ("user", "assistant")
    agent_id: str | None = None
    thread_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    except_run: str | None = None
    limit: int = 50


def search(conn: Connection, actor: Actor, wanted: Search) -> list[MessageRow]:
    """Messages with any of the words: those with the most of them first, then the latest.

    Without a word in the query these are simply the latest. Compiled system prompts, which nobody
    said, are never found.
    """
    hits = [contains(word) for word in words_of(wanted.query)]
    query = owned(messages, actor).where(*_scope(actor, wanted))
    order: list[ColumnElement[Any]] = [messages.c.created_at.desc(), messages.c.id.desc()]
    if hits:
        query = query.where(or_(*hits))
        order.insert(
            0, sum((case((hit, 1), else_=0) for hit in hits[1:]), case((hits[0], 1), else_=0)).desc()
        )
    return [message_row(row) for row in conn.execute(query.order_by(*order).limit(wanted.limit))]


def contains(word: str) -> ColumnElement[bool]:
    """Messages with a word in any case; databases know the cases of ASCII letters only."""
    spellings = {word} if word.isascii() else {word, word.capitalize(), word.upper()}
    lowered = func.lower(messages.c.text)
    return or_(
        *(
            lowered.contains(each, autoescape=True)
            for each in sorted({_ascii_lower(one) for one in spellings})
        )
    )


def _ascii_lower(word: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in word)


def words_of(query: str) -> list[str]:
    """The words of a query, each once."""
    return list(dict.fromkeys(re.findall(r"\w+", query.lower())))[:MAX_WORDS]


def _scope(actor: Actor, wanted: Search) -> list[ColumnElement[bool]]:
    scope = [messages.c.role.in_(wanted.roles), messages.c.text != ""]
    if "system" in wanted.roles:
        prompts = select(threads.c.prompt_message_id).where(is_owned(threads, actor))
        scope.append(messages.c.id.not_in(prompts))
    if wanted.agent_id is not None:
        scope.append(messages.c.agent_id == wanted.agent_id)
    if wanted.thread_id == "default":
        scope.append(messages.c.thread_id == messages.c.agent_id)
    elif wanted.thread_id is not None:
        scope.append(in_thread(wanted.thread_id))
    if wanted.start is not None:
        scope.append(messages.c.created_at >= wanted.start)
    if wanted.end is not None:
        scope.append(messages.c.created_at < wanted.end)
    if wanted.except_run is not None:
        scope.append(or_(messages.c.run_id.is_(None), messages.c.run_id != wanted.except_run))
    return scope
