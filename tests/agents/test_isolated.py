"""Which blocks are seen where a conversation has its own in place of some."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.memory.mind import block_row

from perdure.agents.isolated import IsolatedBlock, shadowed
from perdure.memory.store import BlockRow

LABELS = ["human", "persona", "task", "notes"]
BLOCK = block_row()
LABEL_LISTS = st.lists(st.sampled_from(LABELS), unique=True)


def attached(*labels: str) -> list[BlockRow]:
    return [replace(BLOCK, id=f"agent's {label}", label=label) for label in labels]


def own(**labels: str) -> list[IsolatedBlock]:
    """Own blocks: the label each stands for, and the one it has now."""
    return [
        IsolatedBlock(stands_for, replace(BLOCK, id=f"own {stands_for}", label=label))
        for stands_for, label in labels.items()
    ]


def test_an_own_block_takes_the_place_of_the_agents():
    seen = shadowed(attached("human", "task", "notes"), own(task="task"))
    assert [block.id for block in seen] == ["agent's human", "own task", "agent's notes"]


def test_an_own_block_stays_when_the_agent_has_its_label_no_more():
    seen = shadowed(attached("human"), own(task="task"))
    assert [block.id for block in seen] == ["agent's human", "own task"]


def test_an_own_block_that_was_renamed_keeps_its_place_and_hides_both_labels():
    seen = shadowed(attached("human", "task", "notes"), own(task="notes"))
    assert [block.id for block in seen] == ["agent's human", "own task"]


def test_own_blocks_that_swapped_their_labels_stay_where_they_are():
    seen = shadowed(attached("human", "task"), own(human="task", task="human"))
    assert [block.id for block in seen] == ["own human", "own task"]


@given(LABEL_LISTS, st.dictionaries(st.sampled_from(LABELS), st.sampled_from(LABELS)))
def test_every_own_block_is_seen_and_none_of_the_agents_beside_it(labels, renamed):
    if len(set(renamed.values())) < len(renamed):
        renamed = {label: label for label in renamed}
    seen = shadowed(attached(*labels), own(**renamed))
    assert {block.id for block in seen} >= {f"own {label}" for label in renamed}
    assert len({block.label for block in seen}) == len(seen)
    assert {block.label for block in seen} >= set(labels) - set(renamed)
