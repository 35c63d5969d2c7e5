"""Sandbox configurations: one per type, variables sealed, every field as it was set or cleared."""

import pytest
from sqlalchemy import insert, select

from perdure.tools.sandboxes.tables import sandbox_variables

PATH = "/v1/sandbox-config"


@pytest.fixture
def local(http) -> dict:
    return http.post(f"{PATH}/local/default").json()


def test_an_organization_has_one_configuration_for_each_type(http):
    local = http.post(f"{PATH}/local/default").json()
    again = http.post(f"{PATH}/local/default").json()
    assert local == again
    assert local["type"] == "local"
    assert local["config"] == {"use_venv": False, "venv_name": "venv", "pip_requirements": []}
    e2b = http.post(f"{PATH}/e2b/default").json()
    assert (e2b["type"], e2b["config"]) == ("e2b", {"timeout": 300})
    assert [each["id"] for each in http.get(f"{PATH}/").json()] == [local["id"], e2b["id"]]
    assert [each["id"] for each in http.get(f"{PATH}/", params={"sandbox_type": "e2b"}).json()] == [e2b["id"]]
    assert http.get(f"{PATH}/", params={"after": e2b["id"]}).json() == []
    assert http.get(f"{PATH}/", params={"sandbox_type": "chroot"}).status_code == 422


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({}, "local"),
        ({"timeout": 10}, "local"),
        ({"use_venv": True}, "local"),
        ({"limits": {"memory_mb": 100}}, "local"),
        ({"pip_requirements": [{"name": "pandas"}]}, "local"),
        ({"template": "mine"}, "e2b"),
        ({"language": "typescript"}, "modal"),
        ({"timeout": 10, "pip_requirements": ["pandas"]}, "e2b"),
    ],
)
def test_the_fields_show_the_type(http, config, kind):
    made = http.post(f"{PATH}/", json={"config": config}).json()
    assert made["type"] == kind
    assert {name: made["config"][name] for name in config} == config


def test_setting_it_again_puts_another_in_its_place_and_keeps_its_id(http, local):
    made = http.post(f"{PATH}/", json={"config": {"use_venv": True}, "type": "local"}).json()
    assert (made["id"], made["config"]["use_venv"]) == (local["id"], True)
    made = http.post(f"{PATH}/local", json={"hosts": ["example.com"]}).json()
    assert (made["id"], made["config"]["hosts"], made["config"]["use_venv"]) == (
        local["id"],
        ["example.com"],
        False,
    )
    assert http.post(f"{PATH}/local/recreate-venv").json()["config"] == made["config"]


def test_a_change_names_fields_and_null_clears(http, local):
    path = f"{PATH}/{local['id']}"
    changed = http.patch(path, json={"config": {"timeout": 5, "hosts": ["a.example"]}}).json()
    assert (changed["config"]["timeout"], changed["config"]["hosts"]) == (5, ["a.example"])
    changed = http.patch(path, json={"config": {"timeout": None}}).json()
    assert "timeout" not in changed["config"]
    assert changed["config"]["hosts"] == ["a.example"]
    refused = http.patch(path, json={"config": {"limits": {"memory_mb": 1}}})
    assert (refused.status_code, refused.json()["detail"][:25]) == (422, "config: limits.memory_mb:")


def test_variables_are_made_changed_listed_and_deleted(http, local):
    variables = f"{PATH}/{local['id']}/environment-variable"
    made = http.post(variables, json={"key": "CITY", "value": "Köln", "description": "where"}).json()
    assert (made["key"], made["value"], made["description"]) == ("CITY", "Köln", "where")
    assert (made["sandbox_config_id"], made["value_enc"]) == (local["id"], None)
    assert http.get(variables).json() == [made]
    one = f"{PATH}/environment-variable/{made['id']}"
    changed = http.patch(one, json={"value": "Bonn"}).json()
    assert (changed["key"], changed["value"], changed["description"]) == ("CITY", "Bonn", "where")
    changed = http.patch(one, json={"key": "TOWN", "description": None}).json()
    assert (changed["key"], changed["value"], changed["description"]) == ("TOWN", "Bonn", None)
    assert http.patch(one, json={"value": None}).status_code == 422
    assert http.delete(one).status_code == 204
    assert http.get(variables).json() == []
    assert http.delete(one).status_code == 404


def test_a_key_is_there_once_and_fits_an_environment(http, local):
    variables = f"{PATH}/{local['id']}/environment-variable"
    http.post(variables, json={"key": "A", "value": "1"})
    other = http.post(variables, json={"key": "B", "value": ""}).json()
    assert http.post(variables, json={"key": "A", "value": "2"}).status_code == 409
    renamed = http.patch(f"{PATH}/environment-variable/{other['id']}", json={"key": "A"})
    assert renamed.status_code == 409
    for wrong in ({"key": "A=B", "value": ""}, {"key": "", "value": ""}, {"key": "C", "value": "a\0b"}):
        assert http.post(variables, json=wrong).status_code == 422


def test_variables_are_bounded_in_number_and_together(live, http, local):
    variables = f"{PATH}/{local['id']}/environment-variable"
    made = http.post(variables, json={"key": "A", "value": "1"}).json()
    row = live.run(lambda conn: dict(conn.execute(_stored(made["id"])).mappings().one()))
    more = [{**row, "id": f"{row['id']}{at}", "key": f"K{at}"} for at in range(999)]
    live.run(lambda conn: conn.execute(insert(sandbox_variables), more), write=True)
    refused = http.post(variables, json={"key": "B", "value": "2"})
    assert (refused.status_code, "room for 1000 variables" in refused.json()["detail"]) == (409, True)
    assert http.patch(f"{PATH}/environment-variable/{made['id']}", json={"value": "2"}).json()["value"] == "2"
    large = sandbox_variables.update().where(sandbox_variables.c.key == "K1").values(value="x" * 1_950_000)
    live.run(lambda conn: conn.execute(large), write=True)
    refused = http.patch(f"{PATH}/environment-variable/{made['id']}", json={"value": "2" * 50_000})
    assert (refused.status_code, "1500000 bytes" in refused.json()["detail"]) == (409, True)


def _stored(variable_id):
    return select(sandbox_variables).where(sandbox_variables.c.id == variable_id)


def test_values_are_sealed_where_they_are_stored(live, http, local):
    made = http.post(
        f"{PATH}/{local['id']}/environment-variable", json={"key": "TOKEN", "value": "open sesame"}
    ).json()
    query = select(sandbox_variables.c.value).where(sandbox_variables.c.id == made["id"])
    stored = live.run(lambda conn: conn.execute(query).scalar_one())
    assert stored.startswith("p1.")
    assert "sesame" not in stored


def test_deleting_a_configuration_takes_its_variables(live, http, local):
    http.post(f"{PATH}/{local['id']}/environment-variable", json={"key": "A", "value": "1"})
    assert http.delete(f"{PATH}/{local['id']}").status_code == 204
    assert http.get(f"{PATH}/").json() == []
    query = select(sandbox_variables.c.id).where(sandbox_variables.c.sandbox_config_id == local["id"])
    assert live.run(lambda conn: conn.execute(query).all()) == []
    assert http.get(f"{PATH}/{local['id']}/environment-variable").status_code == 404
