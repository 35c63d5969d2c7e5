"""Folders of agents: attached, opened, seen in the prompt; through the official client."""

import httpx
import pytest
from letta_client import Letta, NotFoundError
from tests.files.uploads import read, upload

from perdure.testing.scripted import say

FILE_TOOLS = {"open_files", "grep_files", "semantic_search_files"}


@pytest.fixture
def agent_id(client: Letta) -> str:
    return client.agents.create(name="Nova", model="demo/offline", include_base_tools=False).id


@pytest.fixture
def folder_id(client: Letta) -> str:
    return client.folders.create(name="handbook", description="How ships enter.", instructions="Quote it.").id


def tools_of(client: Letta, agent_id: str) -> set[str]:
    return {str(tool.name) for tool in client.agents.tools.list(agent_id)}


def prompt_of(http: httpx.Client, agent_id: str) -> str:
    return http.post(f"/v1/agents/{agent_id}/recompile", params={"dry_run": True}).json()


def open_names(client: Letta, agent_id: str) -> list[str]:
    return [file.file_name for file in client.agents.files.list(agent_id, is_open=True, order="asc")]


def test_the_file_tools_come_with_the_first_folder_and_go_with_the_last(client: Letta, agent_id: str) -> None:
    folders = [client.folders.create(name=name).id for name in ("a", "b")]
    for folder_id in (*folders, folders[0]):
        client.agents.folders.attach(folder_id, agent_id=agent_id)
    assert [folder.id for folder in client.agents.folders.list(agent_id, order="asc", limit=1)] == folders
    assert tools_of(client, agent_id) == FILE_TOOLS
    state = client.agents.folders.detach(folders[0], agent_id=agent_id)
    assert [folder.id for folder in state.sources] == [folders[1]]
    assert tools_of(client, agent_id) == FILE_TOOLS
    client.folders.delete(folders[1])
    assert tools_of(client, agent_id) == set()
    assert list(client.agents.folders.list(agent_id)) == []


def test_what_open_files_say_stands_in_the_prompt_with_the_lines_of_the_file(
    client: Letta, http: httpx.Client, agent_id: str, folder_id: str
) -> None:
    before = prompt_of(http, agent_id)
    assert "<directories>" not in before
    file = read(client, folder_id, "fees.md", "# Fees\n\n  Under 20 m: 35.50\nOver: 410.25\n")
    client.agents.folders.attach(folder_id, agent_id=agent_id)
    shown = prompt_of(http, agent_id)
    assert '<directory name="handbook">\n<description>\nHow ships enter.\n</description>' in shown
    assert "<instructions>\nQuote it.\n</instructions>" in shown
    assert '<file status="open" name="handbook/fees.md">\n<metadata>\n- read_only=true' in shown
    assert (
        "[Viewing file start (out of 4 lines)]\n1: # Fees\n2: \n3:   Under 20 m: 35.50\n4: Over: 410.25"
        in shown
    )
    assert "- current_files_open=1\n- max_files_open=10" in shown
    assert shown.index("</directories>") < shown.index("<memory_metadata>")
    client.agents.files.close(file.id, agent_id=agent_id)
    closed = prompt_of(http, agent_id)
    assert '<file status="closed" name="handbook/fees.md" lines="4"/>' in closed
    assert "35.50" not in closed
    client.agents.folders.detach(folder_id, agent_id=agent_id)
    assert "<directories>" not in prompt_of(http, agent_id)


def test_the_model_is_sent_a_new_prompt_only_when_its_files_have_changed(
    client: Letta, scripted, model_name: str, folder_id: str
) -> None:
    model = scripted.script(model_name, say("1"), say("2"), say("3"), say("4"))
    agent = client.agents.create(model=model, folder_ids=[folder_id])

    def prompt() -> str:
        client.agents.messages.create(agent.id, input="hi")
        return scripted.requests[model_name][-1].system

    first = prompt()
    assert prompt() == first
    read(client, folder_id, "tide.txt", "High water at noon")
    seen = prompt()
    assert "1: High water at noon" in seen
    assert prompt() == seen


def test_an_upload_to_an_attached_folder_is_opened(
    client: Letta, http: httpx.Client, agent_id, folder_id
) -> None:
    client.agents.folders.attach(folder_id, agent_id=agent_id)
    upload(client, folder_id, "a.txt", "one")
    assert open_names(client, agent_id) == ["handbook/a.txt"]
    read(client, folder_id, "b.pdf", b"nonsense")
    assert "[It could not be read: it is named as a PDF and is none.]" in prompt_of(http, agent_id)


def test_no_more_files_are_open_than_may_be_and_the_longest_unseen_gives_way(
    client: Letta, http: httpx.Client, agent_id: str, folder_id: str
) -> None:
    client.agents.update(agent_id, max_files_open=2)
    a, b, c = (read(client, folder_id, f"{name}.txt", name) for name in "abc")
    client.agents.folders.attach(folder_id, agent_id=agent_id)
    assert open_names(client, agent_id) == ["handbook/a.txt", "handbook/b.txt"]
    assert client.agents.files.open(a.id, agent_id=agent_id) == []
    assert client.agents.files.open(c.id, agent_id=agent_id) == ["handbook/b.txt"]
    assert open_names(client, agent_id) == ["handbook/a.txt", "handbook/c.txt"]
    assert (
        "handbook/c.txt is closed"
        in http.patch(f"/v1/agents/{agent_id}/files/{c.id}/close").json()["message"]
    )
    assert client.agents.files.open(b.id, agent_id=agent_id) == []
    assert sorted(client.agents.files.close_all(agent_id)) == ["handbook/a.txt", "handbook/b.txt"]
    assert open_names(client, agent_id) == []


def test_a_file_is_shown_only_as_far_as_the_limit_allows(
    client: Letta, http, agent_id: str, folder_id: str
) -> None:
    client.agents.update(agent_id, per_file_view_window_char_limit=60)
    read(client, folder_id, "a.txt", "\n".join(f"this is line {n}" for n in range(1, 20)))
    client.agents.folders.attach(folder_id, agent_id=agent_id)
    shown = prompt_of(http, agent_id)
    assert "3: this is line 3\n[… lines 4 to 19 follow: 60 characters of a file are shown." in shown
    client.agents.update(agent_id, per_file_view_window_char_limit=10_000)
    assert "19: this is line 19" in prompt_of(http, agent_id)


def test_an_agents_files_are_listed_in_pages(client: Letta, http: httpx.Client, agent_id, folder_id) -> None:
    other = client.folders.create(name="other").id
    made = [read(client, (folder_id, other)[n % 2], f"{n}.txt", f"text {n}").id for n in range(5)]
    for each in (folder_id, other):
        client.agents.folders.attach(each, agent_id=agent_id)
    client.agents.files.close(made[1], agent_id=agent_id)
    listed = list(client.agents.files.list(agent_id, limit=2, order="asc"))
    assert [file.file_id for file in listed] == made
    assert [file.file_id for file in client.agents.files.list(agent_id, limit=2)] == made[::-1]
    assert len({file.id for file in listed}) == 5
    assert (listed[0].visible_content, listed[0].start_line) == (
        "[Viewing file start (out of 1 lines)]\n1: text 0",
        1,
    )
    assert (listed[1].is_open, listed[1].visible_content, listed[1].folder_name) == (False, None, "other")
    page = http.get(f"/v1/agents/{agent_id}/files", params={"limit": 3, "order": "asc"}).json()
    assert (page["has_more"], page["next_cursor"]) == (True, page["files"][-1]["id"])
    rest = http.get(
        f"/v1/agents/{agent_id}/files", params={"limit": 3, "order": "asc", "cursor": page["next_cursor"]}
    ).json()
    assert ([file["file_id"] for file in rest["files"]], rest["has_more"]) == (made[3:], False)


def test_an_agent_is_made_with_folders_and_given_others(client: Letta, folder_id: str) -> None:
    read(client, folder_id, "a.txt", "one")
    agent = client.agents.create(model="demo/offline", folder_ids=[folder_id])
    assert [folder.id for folder in agent.sources] == [folder_id]
    [block] = agent.memory.file_blocks
    assert (block.label, block.is_open, block.value) == (
        "handbook/a.txt",
        True,
        "[Viewing file start (out of 1 lines)]\n1: one",
    )
    assert {str(tool.name) for tool in agent.tools} >= FILE_TOOLS
    other = client.folders.create(name="other").id
    changed = client.agents.update(agent.id, folder_ids=[other])
    assert [folder.name for folder in changed.sources] == ["other"]
    assert changed.memory.file_blocks == []
    cleared = client.agents.update(agent.id, folder_ids=[])
    assert cleared.sources == []
    assert not {str(tool.name) for tool in cleared.tools} & FILE_TOOLS
    by_older_name = client.agents.create(model="demo/offline", source_ids=[folder_id])
    assert list(client.folders.agents.list(folder_id)) == [by_older_name.id]


def test_unknown_folders_and_files_are_named(client: Letta, agent_id: str, folder_id: str) -> None:
    missing = folder_id[:-4] + "0000"
    for refused in (
        lambda: client.agents.create(model="demo/offline", folder_ids=[missing]),
        lambda: client.agents.update(agent_id, folder_ids=[missing]),
        lambda: client.agents.folders.attach(missing, agent_id=agent_id),
        lambda: client.agents.folders.detach(missing, agent_id=agent_id),
    ):
        with pytest.raises(NotFoundError, match=missing):
            refused()
    file = upload(client, folder_id, "a.txt", "x")
    for refused in (client.agents.files.open, client.agents.files.close):
        with pytest.raises(NotFoundError, match="There is no file"):
            refused(file.id, agent_id=agent_id)
    client.agents.update(agent_id, folder_ids=[folder_id], max_files_open=1)
    assert len(list(client.agents.list())) == 1


def test_the_context_overview_counts_what_files_take(
    client: Letta, http, agent_id: str, folder_id: str
) -> None:
    read(client, folder_id, "a.txt", "word " * 400)
    client.agents.folders.attach(folder_id, agent_id=agent_id)
    told = http.get(f"/v1/agents/{agent_id}/context").json()
    assert told["num_tokens_directories"] > 500
    assert "handbook/a.txt" in told["directories"]
