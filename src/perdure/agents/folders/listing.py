"""An agent's files in pages, with what it sees of them."""

from sqlalchemy import Connection

from perdure.agents.folders import store
from perdure.agents.folders.wire import attached_id, wire_attached
from perdure.agents.schemas.files import AttachedFiles
from perdure.files.store import texts_of
from perdure.kit.paging import Page


def attached_page(
    conn: Connection, agent_id: str, page: Page, is_open: bool | None, limit: int
) -> AttachedFiles:
    """One page; `page.limit` is one more than it may have, to know whether others follow."""
    found = store.files_page(conn, agent_id, page, is_open)
    backward = page.before is not None and page.after is None
    rows = found[-(page.limit - 1) :] if backward else found[: page.limit - 1]
    texts = texts_of(conn, [file.file_id for file in rows if file.is_open])
    more = len(found) > len(rows)
    return AttachedFiles(
        files=[wire_attached(file, texts.get(file.file_id, ""), limit) for file in rows],
        next_cursor=attached_id(rows[-1].file_id) if more and rows else None,
        has_more=more,
    )
