"""The demo's next step: tools to call, or something to say. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from perdure.content.parts import ToolCall
from perdure.providers.base import ModelRequest, ToolSpec
from perdure.providers.demo import speak
from perdure.providers.demo.blocks import (
    MEMORY_TOOLS,
    Block,
    PlannedCall,
    blocks_of,
    holds,
    home_of,
    new_text,
    old_text,
    plan_removals,
    plan_writes,
)
from perdure.providers.demo.facts import Fact
from perdure.providers.demo.fill import completed, fill, named_arguments
from perdure.providers.demo.recall import from_memory, from_search, search_query
from perdure.providers.demo.turn import Turn, arguments_of, turn_of
from perdure.providers.demo.understand import Intent, read

SEARCH, SAY = "conversation_search", "send_message"
MOST_CALLS = 12  # in one turn; afterwards the demo only speaks
EXPLICIT = re.compile(
    r"\b(?:call|use|run|invoke|execute)\s+(?:the\s+)?(?:tool\s+)?[`\"']?([A-Za-z_][\w-]*)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to call, with its arguments as JSON."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Step:
    """What the demo does next: calls, or text."""

    text: str = ""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything a decision looks at."""

    request: ModelRequest
    turn: Turn
    intent: Intent
    blocks: Sequence[Block]
    tools: Mapping[str, ToolSpec]


def decide(request: ModelRequest) -> Step:
    """What to do about a request."""
    turn = turn_of(request)
    tools = {tool.name: tool for tool in request.tools} if request.tool_choice.mode != "none" else {}
    intent = Intent() if turn.event else read(turn.text)
    scene = _Scene(request, turn, intent, blocks_of(request.system), tools)
    planned = _planned(scene) if len(turn.calls) < MOST_CALLS else []
    if request.tool_choice.mode == "named":
        planned = [call for call in planned if call.name == request.tool_choice.name] or [
            PlannedCall(request.tool_choice.name or "", {})
        ]
    elif not planned and request.tool_choice.mode == "required" and tools:
        planned = [_forced(scene)]
    if planned:
        wanted = planned if request.parallel_tool_calls else planned[:1]
        return Step(calls=tuple(_call(call, scene) for call in wanted))
    return Step(text=_shaped(_answer(scene), request))


def _planned(scene: _Scene) -> list[PlannedCall]:
    """The calls the text asks for that were not made yet in this turn."""
    turn, tools = scene.turn, scene.tools
    explicit = _explicit(scene)
    if explicit is not None:
        return [] if any(call.name == explicit.name for call in turn.calls) else [explicit]
    writes = plan_writes(scene.intent.facts, list(scene.blocks), tools)
    writes += plan_removals(scene.intent.forget, list(scene.blocks), tools)
    fresh = [call for call in writes if not _was_tried(call, turn)]
    if fresh or scene.intent.question is None or SEARCH not in tools:
        return fresh
    searched = any(call.name == SEARCH for call in turn.calls)
    answered = searched or scene.intent.question.kind == "agent" or _from_memory(scene)
    return [] if answered else [PlannedCall(SEARCH, {"query": search_query(scene.intent.question)})]


def _explicit(scene: _Scene) -> PlannedCall | None:
    """The tool a person names: `call roll_dice sides=20`; or the one an event of the server demands."""
    if scene.turn.event:
        named = (name for name in scene.tools if re.search(rf"\b{re.escape(name)}\b", scene.turn.text))
        name = next((name for name in named if name != SAY), None)
        return PlannedCall(name, {}) if name else None
    for match in EXPLICIT.finditer(scene.turn.text):
        name = match[1].replace("-", "_")
        if name in scene.tools:
            return PlannedCall(name, named_arguments(scene.turn.text[match.end() :]))
    return None


def _was_tried(planned: PlannedCall, turn: Turn) -> bool:
    """Whether this turn made the call, or stored one of its facts, before."""
    made = [arguments_of(call) for call in turn.calls if call.name in MEMORY_TOOLS]
    texts = "\n".join(str(value) for arguments in made for value in arguments.values())
    if any(fact.line in texts for fact in planned.facts):
        return True
    return any(planned.arguments.items() <= arguments.items() for arguments in made)


def _forced(scene: _Scene) -> PlannedCall:
    """A call when there must be one: speaking through `send_message`, else finishing, else any tool."""
    if SAY in scene.tools:
        return PlannedCall(SAY, {"message": _answer(scene)})
    finishing = (name for name in scene.tools if re.search(r"finish|done|exit|end", name))
    return PlannedCall(next(finishing, None) or next(iter(scene.tools)), {})


def _call(planned: PlannedCall, scene: _Scene) -> Call:
    spec = scene.tools.get(planned.name)
    arguments = completed(planned.arguments, spec.parameters if spec else {}, scene.turn.text)
    return Call(planned.name, orjson.dumps(arguments, default=str).decode())


def _answer(scene: _Scene) -> str:
    """What to say now that nothing is left to do."""
    turn, intent = scene.turn, scene.intent
    if not scene.request.tools and "summar" in scene.request.system[:4000].lower():
        return speak.summary([*turn.spoken[:-1], turn.text])
    parts = [
        *_about_facts(scene),
        *_about_removals(scene),
        *_about_other_tools(scene),
        *([_about_question(scene)] if intent.question and not _named_a_tool(scene) else []),
    ]
    if not parts:
        parts = [speak.small_talk(intent, _name(scene), event=turn.event, first=turn.first)]
    return speak.reply(parts, label=turn.first and not intent.question)


def _about_facts(scene: _Scene) -> list[str]:
    stored, failed = _outcomes(scene)
    waiting = [fact for fact in scene.intent.facts if fact not in stored and fact not in failed]
    known = [fact for fact in waiting if _is_known(fact, scene.blocks)]
    lost = [fact for fact in waiting if fact not in known]
    return [
        *([speak.noted(stored, _replaced(scene))] if stored else []),
        *([speak.known_already(known)] if known else []),
        *(speak.not_stored(fact, reason) for fact, reason in failed.items()),
        *([speak.cannot_store(lost, bool(scene.blocks))] if lost else []),
    ]


def _outcomes(scene: _Scene) -> tuple[list[Fact], dict[Fact, str]]:
    """Which of the facts this turn's calls stored, and which failed and why."""
    stored: list[Fact] = []
    failed: dict[Fact, str] = {}
    for fact in scene.intent.facts:
        call = next((call for call in scene.turn.calls if _mentions(call, fact)), None)
        result = call and scene.turn.result_of(call)
        if result and result.status == "error":
            failed[fact] = result.text
        elif result:
            stored.append(fact)
    return stored, failed


def _replaced(scene: _Scene) -> list[str]:
    """What this turn's calls put other facts in the place of."""
    made = [arguments_of(call) for call in scene.turn.calls if call.name in MEMORY_TOOLS]
    pairs = [(old_text(arguments), new_text(arguments)) for arguments in made]
    return [old for old, new in pairs if old and new]


def _mentions(call: ToolCall, fact: Fact) -> bool:
    if call.name not in MEMORY_TOOLS:
        return False
    arguments = arguments_of(call)
    written = [str(value) for value in arguments.values()]
    replaced = bool(old_text(arguments)) and fact.value in new_text(arguments)
    return replaced or any(fact.line in text for text in written)


def _is_known(fact: Fact, blocks: Sequence[Block]) -> bool:
    home = home_of(fact, blocks)
    return home is not None and holds(home, fact)


def _about_removals(scene: _Scene) -> list[str]:
    if not scene.intent.forget:
        return []
    removed = [
        call for call in scene.turn.calls if call.name in MEMORY_TOOLS and not _stores(call, scene.intent)
    ]
    done = [
        result for call in removed if (result := scene.turn.result_of(call)) and result.status == "success"
    ]
    return [speak.forgotten(scene.intent.forget, bool(done))]


def _stores(call: ToolCall, intent: Intent) -> bool:
    return any(_mentions(call, fact) for fact in intent.facts)


def _about_other_tools(scene: _Scene) -> list[str]:
    others = [call for call in scene.turn.calls if call.name not in {*MEMORY_TOOLS, SEARCH, SAY}]
    results = ((call.name, scene.turn.result_of(call)) for call in others)
    return [speak.tool_said(name, result.text, result.status) for name, result in results if result]


def _named_a_tool(scene: _Scene) -> bool:
    return _explicit(scene) is not None


def _from_memory(scene: _Scene) -> str | None:
    question = scene.intent.question
    if question is None or question.kind == "past":
        return None
    return from_memory(question, scene.blocks, scene.intent.facts)


def _about_question(scene: _Scene) -> str:
    question = scene.intent.question
    if question is None:
        return ""
    if question.kind == "agent":
        return speak.who_i_am(_agent_name(scene))
    answer = _from_memory(scene)
    if answer is None:
        found = [done for done in scene.turn.returns if done.name == SEARCH and done.status == "success"]
        answers = (from_search(question, done.text, scene.turn.text) for done in found)
        answer = next((answer for answer in answers if answer), None)
    if answer is None and question.kind == "past":
        answer = from_memory(question, scene.blocks, scene.intent.facts)
    return answer or speak.no_answer(searched=any(done.name == SEARCH for done in scene.turn.returns))


def _name(scene: _Scene) -> str | None:
    return _value_of("Name", [block for block in scene.blocks if not block.label.endswith("persona")])


def _agent_name(scene: _Scene) -> str | None:
    return _value_of("Name", [block for block in scene.blocks if block.label.endswith("persona")])


def _value_of(key: str, blocks: Sequence[Block]) -> str | None:
    starts = (line for block in blocks for line in block.lines if line.startswith(f"{key}: "))
    return next((line.removeprefix(f"{key}: ") for line in starts), None)


def _shaped(text: str, request: ModelRequest) -> str:
    """The text in the form the request demands."""
    wanted = request.response_format or {}
    if wanted.get("type") == "json_schema":
        inner: Mapping[str, Any] = wanted.get("json_schema") or {}
        return orjson.dumps(fill(inner.get("schema") or inner, text), default=str).decode()
    if wanted.get("type") == "json_object":
        return orjson.dumps({"answer": text}).decode()
    return text
