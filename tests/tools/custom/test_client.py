"""A tool that calls this server back: with a client of its own, as its organization, and not for ever."""

import httpx
import pytest
from tests.journeys.server_process import ServerProcess

from perdure.tenancy.run_tokens import PREFIX

COUNT = '''
def count(agent_id: str) -> list:
    """Count the agents and remember it.

    Returns:
        Their names.
    """
    agents = list(client.agents.list())
    client.agents.blocks.update("human", agent_id=agent_id, value=f"{len(agents)} agents")
    return [agent.name for agent in agents]
'''


@pytest.fixture
def run(client, scripted, make_tool, ask):
    """A function that has an agent call a tool of this source; its return."""

    def run(source: str, **agent):
        block = {"label": "human", "value": "nothing"}
        return ask(make_tool(source), name="Bob", memory_blocks=[block], **agent)

    return run


def test_it_reads_and_changes_what_its_organization_has(client, run):
    returned = run(COUNT)
    assert (returned.status, returned.tool_return) == ("success", '["Bob"]'), returned.tool_returns[0].stderr
    [agent] = client.agents.list()
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "1 agents"


def test_it_cannot_read_secrets_or_make_keys(run):
    source = (
        "import os, httpx\n"
        'def look() -> list:\n    """Look."""\n'
        '    base, key = os.environ["LETTA_BASE_URL"], os.environ["LETTA_API_KEY"]\n'
        '    headers = {"Authorization": f"Bearer {key}"}\n'
        '    paths = ["/v1/sandbox-config/", "/v1/admin/orgs/", "/v1/providers/", "/v1/agents/"]\n'
        "    return [httpx.get(base + path, headers=headers).status_code for path in paths]\n"
    )
    returned = run(source)
    assert returned.tool_return == "[403,403,403,200]", returned.tool_returns[0].stderr


def test_its_token_is_not_told(run):
    source = 'import os\ndef tell() -> str:\n    """Tell."""\n    return os.environ["LETTA_API_KEY"]\n'
    returned = run(source)
    assert returned.tool_return == "[redacted LETTA_API_KEY]"
    assert PREFIX not in returned.model_dump_json()


def test_its_own_busy_agent_is_refused_rather_than_waited_for(run):
    waiting = ', extra_body={"multitask_strategy": "enqueue"}'
    source = (
        'def talk(agent_id: str) -> str:\n    """Talk."""\n'
        f'    client.agents.messages.create(agent_id, input="hello"{waiting})\n'
    )
    for talk in (source.replace(waiting, ""), source):
        returned = run(talk)
        assert returned.status == "error"
        assert "ConflictError" in returned.tool_return
        assert "A tool does not wait for that" in returned.tool_return
        assert "create_async" in returned.tool_return


def test_what_it_sends_in_the_background_is_read_afterwards(client, run):
    source = (
        'def later(agent_id: str) -> str:\n    """Talk later."""\n'
        '    return client.agents.messages.create_async(agent_id, input="hello").status\n'
    )
    returned = run(source)
    assert (returned.status, returned.tool_return) == ("success", "created"), returned.tool_returns[0].stderr


def test_nothing_but_this_server_is_reached(run, live):
    source = (
        "import urllib.request\n"
        'def elsewhere() -> list:\n    """Look elsewhere."""\n'
        "    client.tools.list()\n"
        "    told = []\n"
        '    for url in ("http://example.com", "http://127.0.0.1:5432"):\n'
        "        try:\n            told.append(urllib.request.urlopen(url).status)\n"
        "        except urllib.error.HTTPError as error:\n            told.append(error.code)\n"
        "    return told\n"
    )
    returned = run(source)
    assert returned.tool_return == "[403,403]", returned.tool_returns[0].stderr


def test_an_open_server_takes_no_tool_for_its_owner(tmp_path):
    source = (
        "import os, urllib.request, urllib.error\n"
        'def look() -> list:\n    """Look."""\n'
        "    told = []\n"
        '    for key in ("LETTA_API_KEY", "NOTHING"):\n'
        '        headers = {"Authorization": f"Bearer {os.environ.get(key)}"}\n'
        '        url = os.environ["LETTA_BASE_URL"] + "/v1/agents/"\n'
        "        try:\n"
        "            request = urllib.request.Request(url, headers=headers)\n"
        "            told.append(urllib.request.urlopen(request).status)\n"
        "        except urllib.error.HTTPError as error:\n            told.append(error.code)\n"
        "    return told\n"
    )
    server = ServerProcess(tmp_path, f"sqlite:///{tmp_path / 'open.db'}")
    try:
        done = httpx.post(f"{server.url}/v1/tools/run", json={"source_code": source, "args": {}}, timeout=20)
        assert done.json()["tool_return"] == "[200,401]", done.text
    finally:
        server.kill()


def test_what_it_changes_in_agent_state_is_not_stored_over_another_change(client, run):
    source = (
        "def note(agent_id: str, agent_state: object) -> None:\n"
        '    """Note it."""\n'
        '    client.agents.blocks.update("human", agent_id=agent_id, value="from elsewhere")\n'
        '    agent_state.memory.update_block_value(label="human", value="nothing, and more")\n'
    )
    returned = run(source)
    assert returned.status == "error"
    assert "was not stored: Block 'human' is at version 2, not 1" in returned.tool_return
    [agent] = client.agents.list()
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "from elsewhere"
