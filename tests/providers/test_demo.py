"""The offline demo reads what people type, uses memory and search as a model would, and says what it is."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.content.parts import Image, Message, Text, ToolCall, ToolReturn
from perdure.providers.base import (
    Finish,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    ToolChoice,
    ToolSpec,
)
from perdure.providers.demo import DemoModel
from perdure.providers.demo.blocks import blocks_of
from perdure.providers.demo.decide import decide
from perdure.providers.demo.understand import read

BLOCK = """<{label}>
<description>
About the {label}.
</description>
<metadata>
{flags}- chars_current=0
- chars_limit=100000
</metadata>
<value>
{value}
</value>
</{label}>"""


def tool(name: str, *required: str, **optional: str) -> ToolSpec:
    properties = {key: {"type": "string"} for key in required} | {
        key: {"type": kind} for key, kind in optional.items()
    }
    return ToolSpec(name, "", {"type": "object", "properties": properties, "required": list(required)})


NEW_TOOLS = (
    tool("memory_insert", "label", "new_string", insert_line="integer"),
    tool("memory_replace", "label", "old_string", "new_string"),
    tool("conversation_search", query="string"),
)
OLD_TOOLS = (
    tool("core_memory_append", "label", "content"),
    tool("core_memory_replace", "label", "old_content", "new_content"),
)


IN_ROME = ["Lives in: Rome"]


class Agent:
    """A tiny loop around the demo: real block edits, a search over what was said, one stored conversation."""

    def __init__(self, tools: Sequence[ToolSpec] = NEW_TOOLS, **blocks: str):
        self.blocks = blocks or {"human": "", "persona": "I am a kind helper."}
        self.tools = tools
        self.read_only: set[str] = set()
        self.messages: list[Message] = []
        self.called: list[str] = []
        self.found: list[str] = []
        self.options: dict[str, Any] = {}
        self.refusal = ""

    @property
    def system(self) -> str:
        shown = "\n\n".join(
            BLOCK.format(
                label=label, value=value, flags="- read_only=true\n" if label in self.read_only else ""
            )
            for label, value in self.blocks.items()
        )
        return f"You are an agent.\n\n<memory_blocks>\nThese are your blocks:\n\n{shown}\n</memory_blocks>"

    def request(self) -> ModelRequest:
        return ModelRequest("offline", self.system, tuple(self.messages), tuple(self.tools), **self.options)

    def say(self, text: str) -> str:
        self.called = []
        self.messages.append(Message("user", (Text(text),)))
        for _ in range(20):
            step = decide(self.request())
            if not step.calls:
                self.messages.append(Message("assistant", (Text(step.text),)))
                return step.text
            for call in step.calls:
                arguments = json.loads(call.arguments)
                self.called.append(call.name)
                if call.name == "send_message":
                    return arguments["message"]
                self._run(call.name, call.arguments, arguments)
        raise AssertionError("the demo does not finish")

    def _run(self, name: str, raw: str, arguments: Mapping[str, Any]) -> None:
        call_id = f"call-{len(self.messages)}"
        status, text = "success", "OK"
        try:
            text = self._apply(name, arguments)
        except ValueError as error:
            status, text = "error", str(error)
        self.messages.append(Message("assistant", (ToolCall(call_id, name, raw),)))
        envelope = json.dumps(
            {"status": "OK" if status == "success" else "Failed", "message": text, "time": "now"}
        )
        self.messages.append(Message("tool", (ToolReturn(call_id, name, envelope, status),)))  # type: ignore[arg-type]

    def _apply(self, name: str, arguments: Mapping[str, Any]) -> str:
        if name == "conversation_search":
            results = [{"role": "user", "content": text} for text in self.found]
            return json.dumps({"message": f"{len(results)} results", "results": results})
        if self.refusal:
            raise ValueError(self.refusal)
        label = arguments.get("label") or arguments.get("path", "").removeprefix("/memories/")
        if label not in self.blocks:
            raise ValueError(f"No block {label}")
        value = self.blocks[label]
        old = arguments.get("old_string", arguments.get("old_content"))
        new = arguments.get("new_string", arguments.get("new_content", arguments.get("content")))
        if "new_memory" in arguments:
            self.blocks[label] = arguments["new_memory"]
        elif old is not None:
            if value.count(old) != 1:
                raise ValueError("not exactly one match")
            self.blocks[label] = value.replace(old, new)
        else:
            self.blocks[label] = f"{value}\n{arguments.get('insert_text', new)}".strip()
        return self.blocks[label]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("My name is Ann", ["Name: Ann"]),
        ("hi, i'm Ann!", ["Name: Ann"]),
        ("my name is ann", ["Name: Ann"]),
        ("Call me Dr. Smith", ["Name: Dr. Smith"]),
        ("I live in São Paulo.", ["Lives in: São Paulo"]),
        ("Actually, I moved to Berlin last week.", ["Lives in: Berlin"]),
        ("I just moved from Oslo to Bergen", ["Lives in: Bergen"]),
        ("I work as a nurse and I love hiking", ["Works as: a nurse", "Likes: hiking"]),
        ("I work as a nurse, live in Rome and love art", ["Works as: a nurse", *IN_ROME, "Likes: art"]),
        ("I’m allergic to nuts", ["Allergic to: nuts"]),
        ("I am 34 years old", ["Age: 34"]),
        ("I prefer tea over coffee", ["Prefers: tea over coffee"]),
        ("I don't like Mondays", ["Dislikes: Mondays"]),
        ("my favorite colour is blue", ["Favourite colour: blue"]),
        ("My dog is called Rex", ["Dog's name: Rex"]),
        ("My wife's name is Maria", ["Wife's name: Maria"]),
        ("my email is a@b.example", ["Email: a@b.example"]),
        ("I'm a vegetarian", ["Is: a vegetarian"]),
        ("I'm German", ["Is: German"]),
        ("Remember that the code is 1234.", ["Note: the code is 1234"]),
        ("Can you remember that I like tea?", ["Likes: tea"]),
        ("remember: buy milk", ["Note: buy milk"]),
        ("your name is Zed", ["Name: Zed"]),
        ("hey there, I'm Sarah from Boston", ["Name: Sarah", "From: Boston"]),
        ("I'm Ann, a nurse", ["Name: Ann", "Is: a nurse"]),
        ("We moved to Berlin", ["Lives in: Berlin"]),
        ("I'm getting married in June", ["Is: getting married in June"]),
        ("Please change my name to Kate", ["Name: Kate"]),
        ("update my email to k@b.example", ["Email: k@b.example"]),
        ("My name is Sarah, but call me Sal", ["Name: Sal"]),
        ("My dog's name is Max and he is 5", ["Dog's name: Max"]),
        ("Let me tell you about myself: I'm 41", ["Age: 41"]),
        ("I'm Ann. I live in Rome; I own a car\nI use vi", ["Name: Ann", *IN_ROME, "Has: a car", "Uses: vi"]),
    ],
)  # fmt: skip
def test_statements_are_read(text, lines):
    assert [fact.line for fact in read(text).facts] == lines


@pytest.mark.parametrize(
    "text",
    [
        "What is my name?",
        "If I lived in Rome I would eat pizza",
        "I'm Ready",
        "I'm tired",
        "my name isn't Bob",
        "I like it",
        "my question is simple",
        "Do you know that I live in Rome?",
        "I'd like to know more",
        "I'm thinking about it",
        "Tell me a joke",
        "How are you?",
        "",
        "🙂🙂🙂",
    ],
)
def test_what_is_no_statement_is_left_alone(text):
    assert read(text).facts == ()


@pytest.mark.parametrize("tools", [NEW_TOOLS, OLD_TOOLS], ids=["memory_insert", "core_memory_append"])
def test_it_remembers_several_facts_of_one_message_and_recalls_each(tools):
    agent = Agent(tools)
    answer = agent.say("Hello! My name is Ann, I live in Lisbon and I work as a nurse.")
    assert "Ann" in answer
    assert agent.called == [tools[0].name]
    assert agent.blocks["human"] == "Name: Ann\nLives in: Lisbon\nWorks as: a nurse"
    assert agent.say("What's my name?") == "Your name is Ann."
    assert agent.say("where do i live") == "You live in Lisbon."
    assert agent.say("What do I do for a living?") == "You work as a nurse."
    assert agent.called == []


@pytest.mark.parametrize("tools", [NEW_TOOLS, OLD_TOOLS], ids=["memory_replace", "core_memory_replace"])
def test_a_correction_replaces_what_was_known(tools):
    agent = Agent(tools)
    agent.say("I live in Lisbon")
    answer = agent.say("Actually I moved to Porto")
    assert agent.called == [tools[1].name]
    assert agent.blocks["human"] == "Lives in: Porto"
    assert "in place of “Lives in: Lisbon”" in answer
    assert agent.say("Where do I live?") == "You live in Porto."


def test_a_correction_keeps_the_rest_of_a_hand_written_block():
    agent = Agent(human="The human's name is Sarah. She likes painting.", persona="")
    agent.say("My name is Anna")
    assert agent.blocks["human"] == "The human's name is Anna. She likes painting."
    assert agent.say("what is my name?") == "Your name is Anna."


def test_what_is_known_is_not_written_twice():
    agent = Agent(human="Name: Ann")
    assert "knew that already" in agent.say("my name is Ann")
    assert agent.called == []


def test_a_liking_that_turned_is_replaced():
    agent = Agent(human="Likes: tea\nLikes: jazz")
    agent.say("I don't like tea anymore")
    assert agent.blocks["human"] == "Dislikes: tea\nLikes: jazz"


def test_a_wish_to_forget_takes_the_line_away():
    agent = Agent(human="Name: Ann\nDog's name: Rex\nLikes: tea")
    assert "took" in agent.say("Please forget my dog's name")
    assert agent.blocks["human"] == "Name: Ann\nLikes: tea"
    assert "nothing about" in agent.say("forget my yacht")


@pytest.mark.parametrize("text", ["I don't live in Berlin anymore", "I no longer live in Berlin"])
def test_what_is_no_longer_so_is_taken_away(text):
    agent = Agent(human="Name: Ann\nLives in: Berlin")
    agent.say(text)
    assert agent.blocks["human"] == "Name: Ann"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What did I ask you to remember?", "42"),
        ("what's my favorite food?", "sushi"),
        ("what's my favourite food and movie?", "Alien"),
        ("where am I from?", "Boston"),
        ("What's my dog called?", "Max"),
        ("do I like mushrooms?", "do not like mushrooms"),
        ("do you know where I work?", "Acme"),
        ("How old am I?", "41"),
    ],
)
def test_questions_find_their_fact(question, answer):
    agent = Agent(
        human="Name: Ann\nFrom: Boston\nWorks at: Acme\nAge: 41\nDog's name: Max\nDislikes: mushrooms\n"
        "Favourite food: sushi\nFavourite movie: Alien\nNote: 42"
    )
    assert answer in agent.say(question)


def test_another_s_name_is_not_taken_for_the_one_asked_about():
    agent = Agent(human="Name: Ann\nDog's name: Max")
    assert "found nothing" in agent.say("What is my boss's name?")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("how are you?", "Hello"),
        ("thank you!", "You are welcome"),
        ("bye", "Goodbye, Ann"),
        ("ok", "All right"),
    ],
)
def test_small_talk_stays_small(text, answer):
    agent = Agent(human="Name: Ann")
    assert agent.say(text).startswith(answer)
    assert agent.called == []


def test_facts_about_the_agent_go_to_its_persona():
    agent = Agent()
    agent.say("Your name is Zed")
    assert agent.blocks["persona"].endswith("Name: Zed")
    assert "My name is Zed" in agent.say("what's your name?")


def test_hand_written_memory_answers_too():
    agent = Agent(
        human="My name is Timber. I am building a memory server.", notes="The wifi password is hunter2."
    )
    assert agent.say("What's my name?") == "Your name is Timber."
    assert "hunter2" in agent.say("what is the wifi password?")


def test_everything_known_is_told_on_request():
    agent = Agent(human="Name: Ann\nLikes: tea\nSomething odd without a key")
    answer = agent.say("What do you know about me?")
    assert "Your name is Ann and you like tea." in answer
    assert "Something odd without a key" in answer


def test_it_searches_the_past_when_memory_has_nothing():
    agent = Agent()
    agent.found = ["Did I say anything about Paris?", "We flew to Paris in May."]
    answer = agent.say("Did I say anything about Paris?")
    assert agent.called == ["conversation_search"]
    assert "“We flew to Paris in May.”" in answer
    assert "“Did I say" not in answer


def test_it_says_honestly_that_it_found_nothing_and_how_to_go_on():
    agent = Agent()
    answer = agent.say("What is the capital of France?")
    assert agent.called == ["conversation_search"]
    assert "offline demo" in answer
    assert "OPENAI_API_KEY" in answer


def test_a_question_does_not_hide_a_statement():
    agent = Agent()
    answer = agent.say("I live in Rome. Where do I live?")
    assert agent.blocks["human"] == "Lives in: Rome"
    assert answer.count("You live in Rome.") == 2


def test_the_first_answer_is_labelled():
    agent = Agent()
    assert "offline demo" in agent.say("hello")
    assert "offline demo" not in agent.say("I like tea")


def test_a_refused_write_is_reported_not_repeated():
    agent = Agent((tool("memory_insert", "label", "new_string"),))
    del agent.blocks["persona"]
    agent.refusal = "the block is full"
    assert "the block is full" in agent.say("I live in Rome")
    assert agent.called == ["memory_insert"]


@pytest.mark.parametrize(("blocks", "tools"), [({}, NEW_TOOLS), ({"human": ""}, ())])
def test_without_tools_or_blocks_it_says_what_is_missing(blocks, tools):
    agent = Agent(tools)
    agent.blocks = blocks
    answer = agent.say("I live in Rome")
    assert "this agent has no" in answer
    assert agent.called == []


def test_a_read_only_block_is_not_written():
    agent = Agent(human="", notes="")
    agent.read_only = {"human"}
    agent.say("I live in Rome")
    assert agent.blocks == {"human": "", "notes": "Lives in: Rome"}


def test_several_tools_serve_memory_where_only_they_are_offered():
    omni = tool(
        "memory", "command", path="string", old_string="string", new_string="string", insert_line="integer"
    )
    for offered in (omni, tool("memory_rethink", "label", "new_memory")):
        agent = Agent((offered,))
        agent.say("I live in Rome and I like tea")
        agent.say("I moved to Oslo")
        assert agent.blocks["human"] == "Lives in: Oslo\nLikes: tea"


def test_line_numbers_in_the_prompt_are_not_part_of_memory():
    agent = Agent(human="1→ Name: Ann\n2→ Likes: tea")
    assert blocks_of(agent.system)[0].value == "Name: Ann\nLikes: tea"


def test_the_old_loop_is_answered_through_send_message():
    heartbeat = {"thinking": {"type": "string"}, "request_heartbeat": {"type": "boolean"}}
    tools = [
        ToolSpec(
            spec.name,
            "",
            {
                "type": "object",
                "properties": {**heartbeat, **spec.parameters["properties"]},
                "required": ["thinking", *spec.parameters["required"], "request_heartbeat"],
            },
        )
        for spec in OLD_TOOLS
    ]
    agent = Agent((tool("send_message", "message"), *tools))
    agent.options = {"tool_choice": ToolChoice("required")}
    assert "Ann" in agent.say("My name is Ann")
    assert agent.called == ["core_memory_append", "send_message"]
    first = next(part for message in agent.messages for part in message.parts if isinstance(part, ToolCall))
    arguments = json.loads(first.arguments)
    assert next(iter(arguments)) == "thinking"
    assert arguments["request_heartbeat"] is True


def test_a_login_event_is_not_taken_for_a_person():
    agent = Agent(human="Name: Ann")
    event = json.dumps({"type": "login", "last_login": "never", "time": "now"})
    assert (
        agent.say(event)
        == "Welcome back, Ann.\n\n(I am the offline demo: fixed rules, not a language model.)"
    )
    wrapped = json.dumps({"type": "user_message", "message": "I like tea", "time": "now"})
    agent.say(wrapped)
    assert agent.blocks["human"] == "Name: Ann\nLikes: tea"


def test_a_named_tool_is_called_with_the_arguments_given():
    dice = ToolSpec(
        "roll_dice",
        "",
        {"type": "object", "properties": {"sides": {"type": "integer"}}, "required": ["sides"]},
    )
    request = ModelRequest(
        "offline", "", (Message("user", (Text("please call roll_dice with sides=20"),)),), (dice,)
    )
    (call,) = decide(request).calls
    assert (call.name, json.loads(call.arguments)) == ("roll_dice", {"sides": 20})
    done = Message("tool", (ToolReturn("c", "roll_dice", "17"),))
    asked = Message("assistant", (ToolCall("c", "roll_dice", call.arguments),))
    answer = decide(ModelRequest("offline", "", (*request.messages, asked, done), (dice,))).text
    assert answer.startswith("The tool roll_dice returned: 17")


def test_a_forced_tool_gets_arguments_that_fit_its_schema():
    schema = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "count": {"type": "integer", "minimum": 3},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "deep": {"type": "object", "properties": {"x": {"type": ["string", "null"]}}, "required": ["x"]},
        },
        "required": ["kind", "count", "tags", "deep"],
    }
    request = ModelRequest(
        "offline",
        "",
        (Message("user", (Text("hm"),)),),
        (ToolSpec("odd", "", schema),),
        tool_choice=ToolChoice("named", "odd"),
    )
    (call,) = decide(request).calls
    assert json.loads(call.arguments) == {"kind": "a", "count": 3, "tags": ["hm", "hm"], "deep": {"x": "hm"}}


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ('use mix with {"a": 1, "b": "two"}', {"a": 1, "b": "two"}),
        ("run mix a=1, b='two words' c=yes", {"a": 1, "b": "two words", "c": "yes"}),
        ("run mix {broken", {}),
        ("call mix", {}),
    ],
)
def test_arguments_are_read_as_people_write_them(said, arguments):
    mix = ToolSpec("mix", "", {"type": "object", "properties": {}})
    (call,) = decide(ModelRequest("offline", "", (Message("user", (Text(said),)),), (mix,))).calls
    assert json.loads(call.arguments) == arguments


def test_an_event_that_names_a_tool_calls_it():
    event = json.dumps({"type": "heartbeat", "reason": "You must call check_in before you finish."})
    request = ModelRequest("offline", "", (Message("user", (Text(event),)),), (tool("check_in"),))
    assert [call.name for call in decide(request).calls] == ["check_in"]


def test_a_structured_answer_fits_its_schema():
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    request = ModelRequest("offline", "", (Message("user", (Text("hello"),)),), response_format=form)
    assert "Hello" in json.loads(decide(request).text)["answer"]


def test_a_summary_is_excerpts_and_says_so():
    request = ModelRequest(
        "offline", "Summarize the conversation.", (Message("user", (Text("user: I like tea"),)),)
    )
    text = decide(request).text
    assert "not a real summary" in text
    assert "I like tea" in text


async def collect(request: ModelRequest) -> list[Any]:
    return [event async for event in DemoModel().stream(request)]


async def test_it_streams_word_by_word_and_ends_with_an_estimate():
    request = ModelRequest("offline", "", (Message("user", (Text("hello there"),)),))
    *words, finish = await collect(request)
    assert len(words) > 5
    assert all(isinstance(word, TextDelta) for word in words)
    assert "".join(word.text for word in words) == decide(request).text
    assert isinstance(finish, Finish)
    assert finish.reason == "stop"
    assert finish.usage.input_tokens == 3
    assert finish.usage.output_tokens > 10


async def test_it_streams_calls_with_unique_ids():
    agent = Agent()
    agent.messages = [Message("user", (Text("I like tea"),))]
    events = [await collect(agent.request()) for _ in range(2)]
    ids = {event.id for found in events for event in found if isinstance(event, ToolCallStart)}
    assert len(ids) == 2
    arguments = "".join(event.arguments for event in events[0] if isinstance(event, ToolCallDelta))
    assert json.loads(arguments) == {"label": "human", "new_string": "Likes: tea"}
    assert events[0][-1].reason == "tool_calls"


async def test_parallel_calls_are_made_where_they_are_allowed():
    agent = Agent(human="Lives in: Rome")
    agent.options = {"parallel_tool_calls": True}
    agent.messages = [Message("user", (Text("I moved to Oslo and I like tea"),))]
    assert [call.name for call in decide(agent.request()).calls] == ["memory_replace", "memory_insert"]


def test_a_picture_alone_is_answered():
    request = ModelRequest("offline", "", (Message("user", (Image(url="http://x"),)),))
    assert "did not understand" in decide(request).text


VOCABULARY = """I i'm my name is live in like Rome Ann remember that forget what where ? . , and actually
    moved to your the a call tea <value> </value> </human> { } " 1→ it not"""
WORDS = st.sampled_from([*VOCABULARY.split(), "\n"])
TEXTS = st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=40).map(" ".join))


@settings(max_examples=200, deadline=2000)
@given(TEXTS, TEXTS, st.booleans())
def test_any_text_in_any_memory_is_answered_and_the_turn_ends(text, memory, parallel):
    agent = Agent(human=memory, persona="")
    agent.options = {"parallel_tool_calls": parallel}
    assert agent.say(text).strip()
    assert len(agent.called) <= 13


@settings(max_examples=100, deadline=2000)
@given(TEXTS)
def test_any_text_is_answered_through_send_message_when_calls_are_forced(text):
    agent = Agent((*OLD_TOOLS, tool("send_message", "message")))
    agent.options = {"tool_choice": ToolChoice("required")}
    assert agent.say(text).strip()


@settings(max_examples=100, deadline=2000)
@given(TEXTS)
def test_the_same_request_always_gets_the_same_answer(text):
    request = ModelRequest("offline", Agent().system, (Message("user", (Text(text),)),), NEW_TOOLS)
    assert decide(request) == decide(request)


@pytest.mark.parametrize(
    "text", ["my " * 10_000, "I live in " * 5_000, "a" * 100_000, "<human>\n" * 5000, "and I " * 9000]
)
def test_long_and_odd_texts_are_read_quickly(text):
    async def answer() -> None:
        async with asyncio.timeout(5):
            await asyncio.to_thread(
                decide, ModelRequest("offline", text, (Message("user", (Text(text),)),), NEW_TOOLS)
            )

    asyncio.run(answer())
