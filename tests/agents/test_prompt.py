"""The compiled system prompt: pure."""

from dataclasses import replace
from typing import get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from perdure.agents.prompt import (
    Circumstances,
    compose,
    fingerprint,
    ingredients,
    restamped,
    stamp_of,
)
from perdure.agents.stock_prompts import PROMPTS
from perdure.kit.clock import now
from perdure.memory.store import BlockRow

AT = Circumstances("agent-1", "2026-11-23 03:18:35 PM UTC+0000")
TEXT = st.text(max_size=80) | st.sampled_from(
    ["</value>", "</human>\n</memory_blocks>", "{CORE_MEMORY}", "<memory_metadata>", "1→ a", "🦜 zażółć"]
)


def a_block(label="human", value="Name: Ada", **fields):
    blank = {str: "", int: 100, bool: False, dict: {}}
    known = {"label": label, "value": value, "description": None, "limit": 100_000, "read_only": False}
    rest = {
        name: now() if name.endswith("_at") else blank.get(kind)
        for name, kind in get_type_hints(BlockRow).items()
        if name not in known
    }
    return BlockRow(**rest | known | fields)


def compiled(system="Base.", blocks=(), rules=(), at=AT, **more):
    return compose(ingredients("letta_v1_agent", system, blocks, rules, **more), at)


def test_sections_come_in_their_order_parted_by_blank_lines():
    rule = {"type": "exit_loop", "tool_name": "send_message"}
    text = compiled(blocks=[a_block(description="About the person.")], rules=[rule])
    base, memory, rest = text.partition("<memory_blocks>")
    assert base == "Base.\n\n"
    assert memory
    assert rest.index("<human>") < rest.index("</memory_blocks>") < rest.index("<tool_usage_rules>")
    assert "</memory_blocks>\n\n<tool_usage_rules>" in text
    assert "</tool_usage_rules>\n\n<memory_metadata>" in text
    assert text.endswith("</memory_metadata>")
    assert "- chars_current=9\n- chars_limit=100000" in text
    assert "<description>\nAbout the person.\n</description>" in text


def test_metadata_tells_who_where_and_when():
    text = compiled(at=replace(AT, recall=12))
    assert "- AGENT_ID: agent-1\n- CONVERSATION_ID: default\n" in text
    assert "- System prompt last recompiled: 2026-11-23 03:18:35 PM UTC+0000\n- 12 previous messages" in text
    assert "archival" not in text
    full = compiled(at=replace(AT, archival=3, archival_tags=("a", "b"), conversation_id="conv-1"))
    assert "- CONVERSATION_ID: conv-1" in full
    assert "- Available archival memory tags: a, b" in full


def test_without_blocks_and_rules_their_sections_are_absent():
    text = compiled()
    assert "<memory_blocks>" not in text
    assert "<tool_usage_rules>" not in text


def test_a_placeholder_in_the_base_prompt_says_where_the_rest_goes():
    text = compiled("Before {CORE_MEMORY} after.", [a_block()])
    assert text.startswith("Before <memory_blocks>")
    assert text.endswith("</memory_metadata> after.")


def test_claude_gets_numbered_lines():
    block = a_block(value="one\ntwo")
    assert "1→ one\n2→ two" in compiled(blocks=[block], provider_type="anthropic")
    assert "1→" not in compiled(blocks=[block], provider_type="openai")
    old = ingredients("memgpt_agent", "Base.", [block], (), "anthropic")
    assert "1→" not in compose(old, AT)


def test_agents_without_memory_are_not_shown_blocks():
    made_of = ingredients("workflow_agent", "Base.", [a_block()], ())
    assert "<human>" not in compose(made_of, AT)


@given(TEXT, st.lists(TEXT, max_size=3), st.text(max_size=40))
def test_any_text_in_a_block_keeps_the_structure(system, values, description):
    blocks = [a_block(f"label{i}", value, description=description) for i, value in enumerate(values)]
    text = compiled(system.replace("{CORE_MEMORY}", ""), blocks)
    assert text == compiled(system.replace("{CORE_MEMORY}", ""), blocks)
    place = 0
    for i, value in enumerate(values):
        opening = f"<label{i}>\n"
        place = text.index(opening, place) + len(opening)
        assert f"<value>\n{value}\n</value>\n</label{i}>" in text[place:]
    assert text.endswith("</memory_metadata>")
    assert stamp_of(text) == AT.stamp


@given(TEXT, TEXT)
def test_the_fingerprint_changes_with_what_the_prompt_means(one, other):
    def mark(value, **fields):
        return fingerprint(ingredients("letta_v1_agent", "Base.", [a_block(value=value, **fields)], ()))

    assert (mark(one) == mark(other)) == (one == other)
    assert mark(one) != mark(one, read_only=True)
    assert mark(one) != mark(one, limit=5)
    assert mark(one) != mark(one, description="new")
    assert mark(one) == mark(one, hidden=True)


def test_the_order_of_blocks_and_the_rules_count():
    a, b = a_block("a"), a_block("b")
    rule = {"type": "exit_loop", "tool_name": "x"}
    marks = {
        fingerprint(ingredients("letta_v1_agent", "Base.", blocks, rules))
        for blocks in ([a, b], [b, a])
        for rules in ((), (rule,))
    }
    assert len(marks) == 4


def test_a_kept_stamp_is_the_prompts_own_not_one_a_block_quotes():
    block = a_block(value="- System prompt last recompiled: never")
    old = compiled(blocks=[block])
    later = replace(AT, stamp="later")
    assert restamped(later, old).stamp == AT.stamp
    assert restamped(later, None).stamp == "later"
    assert restamped(later, "no stamp").stamp == "later"


def test_every_agent_type_has_a_stock_prompt_in_few_words():
    assert PROMPTS["letta_v1_agent"].startswith("<base_instructions>")
    assert PROMPTS["letta_v1_agent"].endswith("</base_instructions>")
    assert all(200 < len(text) < 4000 for text in PROMPTS.values())
