"""What was said to an agent and by it between two moments, in all of its threads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, tuple_

from perdure.messages.store import MessageRow, message_row
from perdure.messages.tables import messages

SPOKEN = ("user", "assistant")


@dataclass(frozen=True, slots=True)
class Place:
    """A message as a place in time."""

    at: datetime
    message_id: str


def newest_place(conn: Connection, agent_id: str) -> Place | None:
    """Where the last thing stands that was said with an agent."""
    query = select(messages.c.created_at, messages.c.id).where(*_spoken(agent_id))
    order = messages.c.created_at.desc(), messages.c.id.desc()
    row = conn.execute(query.order_by(*order).limit(1)).first()
    return Place(*row) if row else None


def stretch(
    conn: Connection, agent_id: str, after: Place | None, until: Place, most: int
) -> list[MessageRow]:
    """What was said behind one place and up to another, in order; the newest `most` of it."""
    place = tuple_(messages.c.created_at, messages.c.id)
    query = select(messages).where(*_spoken(agent_id), place <= _pair(until))
    query = query.where(place > _pair(after)) if after else query
    rows = conn.execute(query.order_by(messages.c.created_at.desc(), messages.c.id.desc()).limit(most))
    return [message_row(row) for row in rows][::-1]


def _pair(place: Place) -> ColumnElement[Any]:
    return tuple_(place.at, place.message_id, types=[messages.c.created_at.type, messages.c.id.type])


def _spoken(agent_id: str) -> tuple[ColumnElement[bool], ...]:
    return messages.c.agent_id == agent_id, messages.c.role.in_(SPOKEN)
