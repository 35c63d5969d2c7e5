"""What is said with images, and what a conversation has of its own, when words leave the view."""

import base64
from collections.abc import Sequence
from typing import Any

import pytest
from letta_client import Letta
from tests.chat.test_compaction import WORDS, Mind, Saver, agent_with, summaries_in
from tests.chat.test_images import PICTURES, site

from perdure.content.parts import Image, text_of
from perdure.providers.base import ModelRequest, ModelUnavailable
from perdure.testing.scripted import Reply, fail, say

__all__ = ["agent_with", "site"]

WINDOW = 8000  # of a model; an image counts a thousand
DOT = base64.b64encode(PICTURES["/dot.png"][1]).decode()


def images_in(request: ModelRequest) -> list[Image]:
    return [part for message in request.messages for part in message.parts if isinstance(part, Image)]


def check_whole(requests: Sequence[ModelRequest]) -> None:
    """Every image is told with its data, once as an image and never as text."""
    for request in requests:
        assert all((image.media_type, image.data) == ("image/png", DOT) for image in images_in(request))
        assert all(DOT not in text_of(message.parts) for message in request.messages)


def pictured(number: int, site: str) -> list[dict[str, Any]]:
    """A message with an image, by its address or as it is."""
    by_url = {"type": "url", "url": f"{site}/dot.png"}
    as_it_is = {"type": "base64", "media_type": "image/png", "data": DOT}
    image = {"type": "image", "source": by_url if number % 2 else as_it_is}
    words = [{"type": "text", "text": f"{number}: look"}] if number % 3 else []  # some are but an image
    return [{"role": "user", "content": [*words, image]}]


def show(client: Letta, agent_id: str, count: int, site: str) -> list[Any]:
    """Tell an agent so many images; the kinds of what it says are left to the caller."""
    return [
        client.agents.messages.create(
            agent_id, messages=pictured(number, site), include_compaction_messages=True
        )
        for number in range(count)
    ]


class Looker(Mind):
    def __init__(self) -> None:
        super().__init__(WINDOW)

    def answer(self) -> Reply:
        return say("I see.")


@pytest.mark.parametrize("mode", ["sliding_window", "all"])
def test_images_leave_with_their_messages_and_those_that_stay_are_whole(
    client: Letta, agent_with: Any, site: str, mode: str
) -> None:
    mind = Looker()
    agent = agent_with(mind, context_window_limit=WINDOW, compaction_settings={"mode": mode})
    answers = show(client, agent.id, 20, site)
    assert mind.refused == 0
    assert mind.largest <= 0.9 * WINDOW
    assert mind.summarised
    check_whole([*mind.asked, *mind.summarised])
    assert all(images_in(request) == [] for request in mind.summarised)  # it is told of them in words
    assert all("[an image]" in text_of(request.messages[-1].parts) for request in mind.summarised)
    after = next(request for request in mind.asked if summaries_in(request))
    before = mind.asked[mind.asked.index(after) - 1]
    assert 1 <= len(images_in(after)) < len(images_in(before))
    told = [frame for answer in answers for frame in answer.messages]
    events = [frame.event_data for frame in told if frame.message_type == "event_message"]
    assert all(event["context_token_estimate"] > 0.9 * WINDOW for event in events)
    listed = client.agents.messages.list(
        agent.id, limit=100, order="asc", include_return_message_types=["user_message"]
    )
    stored = [part.source.data for message in listed for part in message.content if part.type == "image"]
    assert stored == [DOT] * 20


@pytest.mark.parametrize("mode", ["self_compact_sliding_window", "self_compact_all"])
def test_who_writes_its_own_summary_sees_whole_images(
    client: Letta, agent_with: Any, site: str, mode: str
) -> None:
    class Itself(Looker):
        def __call__(self, request: ModelRequest) -> Reply:
            if "take their place, for yourself" in text_of(request.messages[-1].parts):
                self.summarised.append(request)
                return say("There were pictures.")
            return super().__call__(request)

    mind = Itself()
    agent = agent_with(mind, context_window_limit=WINDOW, compaction_settings={"mode": mode})
    show(client, agent.id, 20, site)
    assert mind.refused == 0
    assert mind.summarised
    assert all(images_in(request) for request in mind.summarised)
    check_whole([*mind.asked, *mind.summarised])


def test_images_leave_although_nobody_can_write_a_summary_of_them(
    client: Letta, agent_with: Any, site: str
) -> None:
    class Speechless(Looker):
        def summary(self) -> Reply:
            return fail(ModelUnavailable("out of order"))

    mind = Speechless()
    agent = agent_with(mind, context_window_limit=WINDOW)
    show(client, agent.id, 20, site)
    assert mind.refused == 0
    check_whole([*mind.asked, *mind.summarised])
    assert "No summary could be written" in summaries_in(mind.asked[-1])[0]


def test_the_agent_is_shown_the_images_that_are_about_to_leave(
    client: Letta, agent_with: Any, site: str
) -> None:
    class Archivist(Looker):
        saved = Saver.saved

    mind = Archivist()
    block = [{"label": "human", "value": ""}]
    agent = agent_with(mind, context_window_limit=WINDOW, include_base_tools=True, memory_blocks=block)
    show(client, agent.id, 20, site)
    assert mind.refused == 0
    assert mind.alerted
    assert all(images_in(request) for request in mind.alerted)
    check_whole([*mind.asked, *mind.alerted, *mind.summarised])
    assert "Jack is dull." in client.agents.blocks.retrieve("human", agent_id=agent.id).value


def test_what_a_conversation_saves_before_words_leave_is_in_its_own_block(
    client: Letta, agent_with: Any
) -> None:
    mind = Saver()
    blocks = [{"label": "human", "value": "Unknown."}]
    agent = agent_with(mind, include_base_tools=True, memory_blocks=blocks)
    own = client.conversations.create(agent_id=agent.id, extra_body={"isolated_block_labels": ["human"]})
    for number in range(30):
        list(client.conversations.messages.create(own.id, input=f"{number}: {WORDS}"))
        if mind.alerted:
            break
    (isolated,) = own.isolated_block_ids
    assert "Jack is dull." in client.blocks.retrieve(isolated).value
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "Unknown."
    assert "Jack is dull." in mind.asked[-1].system
    client.agents.messages.create(agent.id, input="hi")
    assert "Jack is dull." not in mind.asked[-1].system
