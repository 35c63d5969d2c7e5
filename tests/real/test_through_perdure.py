"""A real model behind the whole server: wire, usage, cancellation, persistence. Its wit is not tested."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from letta_client import Letta
from tests.chat.conftest import until
from tests.conftest import LiveServer, serve

from perdure.config import Settings
from perdure.testing.scripted import ScriptedModel

pytestmark = pytest.mark.real


def settings_of(home: Path, llama: str) -> Settings:
    provider = {"name": "llama", "type": "llamacpp", "base_url": llama}
    return Settings.model_validate({"home": home, "models": {"detect": False}, "providers": [provider]})


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, llama: str) -> Iterator[LiveServer]:
    yield from serve(settings_of(tmp_path_factory.mktemp("real"), llama), ScriptedModel())


@pytest.fixture(scope="module")
def letta(real: LiveServer) -> Iterator[Letta]:
    with Letta(base_url=real.url, max_retries=0, timeout=240) as client:
        yield client


def new_agent(letta: Letta) -> str:
    """A plain prompt and no tools: this model has no place for either."""
    model = until(lambda: [m.handle for m in letta.models.list() if m.handle.startswith("llama/")])[0]
    settings = {"provider_type": "openai", "max_output_tokens": 24, "temperature": 0}
    return letta.agents.create(
        model=model, system="You are brief.", include_base_tools=False, model_settings=settings
    ).id


def test_a_conversation_is_streamed_counted_and_kept(letta: Letta) -> None:
    agent_id = new_agent(letta)
    frames = list(
        letta.agents.messages.create(agent_id, input="Say hello.", streaming=True, stream_tokens=True)
    )
    text = [f.content for f in frames if f.message_type == "assistant_message"]
    assert len(text) > 3
    usage = frames[-1]
    assert (usage.message_type, usage.step_count) == ("usage_statistics", 1)
    assert usage.prompt_tokens > 10
    assert 0 < usage.completion_tokens <= 24
    stored = [m.content for m in letta.agents.messages.list(agent_id, order="asc")]
    assert stored[1:] == ["Say hello.", "".join(text)]
    (step,) = letta.steps.list(agent_id=agent_id)
    assert step.total_tokens == usage.total_tokens
    again = letta.agents.messages.create(agent_id, input="And goodbye?")
    assert again.usage.prompt_tokens > usage.prompt_tokens
    assert again.messages[-1].content


def test_a_reader_who_leaves_finds_the_answer_later(letta: Letta, real: LiveServer) -> None:
    agent_id = new_agent(letta)
    body = {"input": "Count to ten.", "streaming": True, "stream_tokens": True}
    with (
        httpx.Client(base_url=real.url, timeout=240) as http,
        http.stream("POST", f"/v1/agents/{agent_id}/messages", json=body) as answer,
    ):
        next(line for line in answer.iter_lines() if "assistant_message" in line)
    deadline = time.monotonic() + 120
    while letta.runs.list(agent_id=agent_id).items[0].status == "running":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert letta.runs.list(agent_id=agent_id).items[0].stop_reason in ("end_turn", "max_tokens_exceeded")
    assert letta.agents.messages.list(agent_id).items[0].message_type == "assistant_message"


def test_a_cancelled_answer_keeps_what_was_said_and_frees_the_model(letta: Letta) -> None:
    settings = {"provider_type": "openai", "max_output_tokens": 2000, "temperature": 0}
    agent_id = new_agent(letta)
    letta.agents.update(agent_id, model_settings=settings)
    said: list[str] = []
    frames = iter(
        letta.agents.messages.create(
            agent_id, input="Tell me a very long story.", streaming=True, stream_tokens=True
        )
    )
    for frame in frames:
        if frame.message_type == "assistant_message":
            said.append(frame.content)
            if len(said) == 5:
                break
    told = letta.agents.messages.cancel(agent_id)
    assert list(told.values()) == ["cancelled"]
    rest = list(frames)
    assert rest[-2].stop_reason == "cancelled"
    said += [frame.content for frame in rest if frame.message_type == "assistant_message"]
    kept = letta.agents.messages.list(agent_id).items[0]
    assert kept.content == "".join(said)
    letta.agents.update(agent_id, model_settings={**settings, "max_output_tokens": 8})
    began = time.monotonic()
    assert letta.agents.messages.create(agent_id, input="Say hello.").messages[-1].content
    assert time.monotonic() - began < 60


def test_what_was_said_outlives_the_server(tmp_path: Path, llama: str) -> None:
    said: list[list[str]] = []
    agent_id = ""
    for life in range(2):
        with contextlib.contextmanager(serve)(settings_of(tmp_path, llama), ScriptedModel()) as server:
            letta = Letta(base_url=server.url, max_retries=0, timeout=240)
            agent_id = agent_id or new_agent(letta)
            if life == 0:
                letta.agents.messages.create(agent_id, input="Say hello.")
            said.append([m.content for m in letta.agents.messages.list(agent_id, order="asc")])
    assert len(said[0]) == 3
    assert said[0] == said[1]
