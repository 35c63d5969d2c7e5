"""The admin routes: organizations and users over the wire."""

import httpx
import pytest
from fastapi import FastAPI

from perdure.server import errors
from perdure.tenancy import keys, store
from perdure.tenancy.actor import DEFAULT_ORGANIZATION, DEFAULT_USER
from perdure.tenancy.authenticate import Authenticator
from perdure.tenancy.keyring import KeyRing
from perdure.tenancy.routes import router

RING = KeyRing([b"k" * 32])


@pytest.fixture
async def http(database):
    app = FastAPI()
    app.include_router(router)
    errors.install(app)
    app.state.db = database
    app.state.authenticate = Authenticator(database, RING)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/v1/admin") as client:
        yield client


async def test_organizations_over_the_wire(http):
    made = (await http.post("/orgs/", json={"name": "Acme"})).json()
    assert made["name"] == "Acme"
    assert made["created_at"].endswith("Z")
    changed = await http.patch("/orgs/", params={"org_id": made["id"]}, json={"privileged_tools": True})
    assert changed.json() == {**made, "privileged_tools": True}
    listed = (await http.get("/orgs/")).json()
    assert [row["id"] for row in listed] == [DEFAULT_ORGANIZATION, made["id"]]
    assert (await http.get("/orgs/", params={"after": made["id"]})).json() == []
    assert (await http.delete("/orgs/", params={"org_id": made["id"]})).json() == changed.json()
    gone = await http.delete("/orgs/", params={"org_id": made["id"]})
    assert (gone.status_code, made["id"] in gone.json()["detail"]) == (404, True)


async def test_users_over_the_wire(http):
    organization = (await http.post("/orgs/", json={})).json()["id"]
    made = (await http.post("/users/", json={"name": "Ada", "organization_id": organization})).json()
    assert made["is_deleted"] is False
    changed = (await http.put("/users/", json={"id": made["id"], "name": "Ada L."})).json()
    assert (changed["name"], changed["organization_id"]) == ("Ada L.", organization)
    assert [row["id"] for row in (await http.get("/users/")).json()] == [DEFAULT_USER, made["id"]]
    assert (await http.delete("/users/", params={"user_id": made["id"]})).json() == changed


@pytest.mark.parametrize(
    ("method", "path", "json"),
    [
        ("POST", "/orgs/", {"nmae": "x"}),
        ("POST", "/orgs/", {"name": " "}),
        ("POST", "/users/", {"name": "Ada"}),
        ("POST", "/users/", {"name": "Ada", "organization_id": "acme"}),
        ("DELETE", "/users/?user_id=ada", None),
        ("PATCH", "/orgs/?org_id=acme", {}),
    ],
)
async def test_malformed_bodies_are_422(http, method, path, json):
    assert (await http.request(method, path, json=json)).status_code == 422


async def test_once_keys_exist_only_administrators_may(http, database):
    other = await database.write(store.create_organization)
    _, plain = await database.write(keys.create_key, RING, "plain", organization_id=other.id)
    _, admin = await database.write(keys.create_key, RING, "admin", admin=True)
    assert (await http.get("/orgs/")).status_code == 401
    refused = await http.get("/orgs/", headers={"Authorization": f"Bearer {plain}"})
    assert (refused.status_code, "--admin" in refused.json()["detail"]) == (403, True)
    assert (await http.get("/orgs/", headers={"Authorization": f"Bearer {admin}"})).status_code == 200
