"""Statements run by the driver give what SQLAlchemy would, and fail as it would."""

import pytest
from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from perdure.db.prepared import Prepared
from perdure.kit.clock import now
from perdure.kit.ids import new_id
from perdure.tenancy.tables import organizations
from perdure.tools.tables import tools

INSERT_TOOL = Prepared(insert(tools))
SELECT_TOOLS = Prepared(
    select(tools)
    .where(tools.c.organization_id == bindparam("organization_id"), tools.c.parallel.is_(True))
    .order_by(tools.c.name)
)
RENAME = Prepared(update(tools).where(tools.c.id == bindparam("of")))
DELETE = Prepared(delete(tools).where(tools.c.id == bindparam("of"), tools.c.kind == "custom"))


@pytest.fixture
async def organization_id(database):
    made = {"id": new_id("org"), "name": "ours", "privileged_tools": False}
    known = {name: value for name, value in made.items() if name in organizations.c}
    stamps = {name: now() for name in ("created_at", "updated_at") if name in organizations.c}
    await database.write(lambda conn: conn.execute(insert(organizations).values(known | stamps)))
    return made["id"]


def tool(organization_id, name, **more):
    """A row with JSON, null, times and booleans in it."""
    return {
        "id": new_id("tool"),
        "organization_id": organization_id,
        "name": name,
        "kind": "custom",
        "description": "",
        "json_schema": {"parameters": {"ü": [1, None]}},
        "args_json_schema": None,
        "tags": [name],
        "return_char_limit": 7,
        "parallel": True,
        "created_at": now(),
        "updated_at": now(),
    } | more


async def test_rows_are_those_that_sqlalchemy_gives(database, organization_id):
    rows = [tool(organization_id, name) for name in ("a", "b", "c")]
    await database.write(INSERT_TOOL.run_all, rows)
    wanted = {"organization_id": organization_id}
    found = await database.read(SELECT_TOOLS.all, wanted)
    assert [tuple(row) for row in found] == await database.read(
        lambda conn: [tuple(row) for row in conn.execute(SELECT_TOOLS.statement, wanted)]
    )
    assert [row[tools.c.keys().index("created_at")] for row in found] == [row["created_at"] for row in rows]
    assert (await database.read(SELECT_TOOLS.first, wanted))[2] == "a"
    assert await database.read(SELECT_TOOLS.first, {"organization_id": "org-x"}) is None


async def test_a_statement_takes_its_columns_from_its_values(database, organization_id):
    row = tool(organization_id, "a")
    await database.write(INSERT_TOOL.run_all, [])
    assert await database.write(INSERT_TOOL.run, row) == 1
    assert await database.write(RENAME.run, {"of": row["id"], "name": "z"}) == 1
    assert await database.write(RENAME.run, {"tags": ["new"], "of": row["id"]}) == 1
    assert await database.write(RENAME.run, {"of": "tool-x", "name": "z"}) == 0
    found = await database.read(SELECT_TOOLS.first, {"organization_id": organization_id})
    assert (found[2], found[tools.c.keys().index("tags")]) == ("z", ["new"])
    assert await database.write(DELETE.run, {"of": row["id"]}) == 1


async def test_a_clash_is_an_integrity_error_and_leaves_nothing(database, organization_id):
    def clash(conn):
        INSERT_TOOL.run(conn, tool(organization_id, "a"))
        INSERT_TOOL.run(conn, tool(organization_id, "a"))

    with pytest.raises(IntegrityError):
        await database.write(clash)
    assert await database.read(SELECT_TOOLS.all, {"organization_id": organization_id}) == []


async def test_a_restarted_server_costs_no_request(database, organization_id):
    if database.dialect == "sqlite":
        pytest.skip("Postgres only")
    engine = database.engine
    async with engine.connect() as one, engine.connect() as two, engine.connect() as three:
        for conn in (one, two, three):
            await conn.execute(text("select 1"))
    everyone = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
    await database.write(lambda conn: conn.execute(text(f"{everyone} and datname = current_database()")))
    for _ in range(3):
        assert await database.read(SELECT_TOOLS.all, {"organization_id": organization_id}) == []


async def test_another_fault_is_told_with_its_statement(database):
    broken = Prepared(select(text("no_such_column")).select_from(tools))
    with pytest.raises(DBAPIError, match="no_such_column"):
        await database.read(broken.all, {})
    assert await database.read(SELECT_TOOLS.all, {"organization_id": "org-x"}) == []


async def test_writes_may_wait_and_are_seen_by_whatever_follows(database, organization_id):
    def work(conn):
        first, second = tool(organization_id, "a"), tool(organization_id, "b")
        wanted = {"organization_id": organization_id}
        INSERT_TOOL.later(conn, first)
        INSERT_TOOL.later(conn, second)
        seen = [len(SELECT_TOOLS.all(conn, wanted))]
        RENAME.later(conn, {"of": first["id"], "name": "z"})
        RENAME.later(conn, {"of": first["id"], "description": "last"})
        INSERT_TOOL.later(conn, tool(organization_id, "a"))  # free again
        seen.append(conn.execute(select(tools.c.id).where(tools.c.organization_id == organization_id)).all())
        INSERT_TOOL.later(conn, tool(organization_id, "c"))
        assert RENAME.run(conn, {"of": second["id"], "name": "y"}) == 1
        RENAME.later(conn, {"of": second["id"], "name": "x"})
        return seen[0], len(seen[1])

    assert await database.write(work) == (2, 3)
    found = await database.read(SELECT_TOOLS.all, {"organization_id": organization_id})
    assert [(row[2], row[4]) for row in found] == [("a", ""), ("c", ""), ("x", ""), ("z", "last")]


async def test_writes_to_several_tables_go_together_and_fail_together(database, organization_id):
    later = Prepared(insert(organizations))

    def work(conn, name):
        for number in range(70):
            INSERT_TOOL.later(conn, tool(organization_id, f"{number}"))
        stamp = now()
        made = {"id": new_id("org"), "name": "other", "privileged_tools": False}
        later.later(conn, {**made, "created_at": stamp, "updated_at": stamp})
        INSERT_TOOL.later(conn, tool(made["id"], "theirs"))  # its foreign key waits, too
        INSERT_TOOL.later(conn, tool(organization_id, name))
        return made["id"]

    with pytest.raises(IntegrityError):
        await database.write(work, "69")
    wanted = {"organization_id": organization_id}
    assert await database.read(SELECT_TOOLS.all, wanted) == []
    theirs = await database.write(work, "70")
    assert len(await database.read(SELECT_TOOLS.all, wanted)) == 71
    assert len(await database.read(SELECT_TOOLS.all, {"organization_id": theirs})) == 1


async def test_what_waited_in_a_failed_unit_of_work_is_gone(database, organization_id):
    def broken(conn):
        INSERT_TOOL.later(conn, tool(organization_id, "a"))
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await database.write(broken)
    await database.write(INSERT_TOOL.run, tool(organization_id, "b"))
    found = await database.read(SELECT_TOOLS.all, {"organization_id": organization_id})
    assert [row[2] for row in found] == ["b"]


async def test_a_write_that_finds_no_row_undoes_what_goes_with_it(database, organization_id):
    class Gone(Exception):
        pass

    def work(conn, tool_id):
        INSERT_TOOL.later(conn, tool(organization_id, "before"))
        RENAME.later(conn, {"of": tool_id, "name": "found"}, or_else=Gone())
        INSERT_TOOL.later(conn, tool(organization_id, "with it"))

    row = tool(organization_id, "a")
    await database.write(INSERT_TOOL.run, row)
    with pytest.raises(Gone):
        await database.write(work, "tool-x")
    wanted = {"organization_id": organization_id}
    assert [found[2] for found in await database.read(SELECT_TOOLS.all, wanted)] == ["a"]
    await database.write(work, row["id"])
    assert [found[2] for found in await database.read(SELECT_TOOLS.all, wanted)] == [
        "before",
        "found",
        "with it",
    ]


async def test_writes_alone_are_a_transaction_of_their_own_and_the_next_is_an_ordinary_one(
    database, organization_id
):
    class Gone(Exception):
        pass

    def alone(conn, name, tool_id="tool-x"):
        if tool_id:
            RENAME.later(conn, {"of": tool_id, "name": "found"}, or_else=Gone())
        INSERT_TOOL.later(conn, tool(organization_id, name))
        INSERT_TOOL.later(conn, tool(organization_id, f"{name} too"))

    def broken(conn):
        INSERT_TOOL.later(conn, tool(organization_id, "undone"))
        assert SELECT_TOOLS.all(conn, wanted)
        INSERT_TOOL.later(conn, tool(organization_id, "undone too"))
        SELECT_TOOLS.all(conn, wanted)
        raise ValueError

    wanted = {"organization_id": organization_id}
    await database.write(alone, "a", None)
    for _ in range(2):
        with pytest.raises(Gone):
            await database.write(alone, "b")
        with pytest.raises(IntegrityError):
            await database.write(alone, "a", None)
        with pytest.raises(ValueError, match=r"^$"):
            await database.write(broken)
    found = await database.read(SELECT_TOOLS.all, wanted)
    assert [row[2] for row in found] == ["a", "a too"]
