"""What Claude models differ in: how they are told to think, what they refuse, how much they may say."""

import re
from dataclasses import dataclass

BUDGET_ONLY = re.compile(r"claude-(instant|2|3)|claude-(opus|sonnet|haiku)-4($|@|-[0-5]($|\D)|-20\d{6})")
BOTH = re.compile(r"claude-(opus|sonnet)-4-6")
WITH_EFFORT = re.compile(r"claude-opus-4-5")
NO_THINKING = re.compile(r"claude-(instant|2|3-(opus|sonnet|haiku|5))")
SMALL = ((re.compile(r"claude-(instant|2|3-(opus|sonnet|haiku))"), 4096), (re.compile(r"claude-3"), 8192))
EFFORTS = {"none": "low", "minimal": "low", "xhigh": "xhigh"}
BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32000, "max": 32000}
DEFAULT_OUTPUT = 16_384


@dataclass(frozen=True, slots=True)
class Claude:
    """The abilities of one model."""

    thinks: bool
    adaptive: bool
    budget: bool
    effort: bool
    samples: bool
    max_tokens: int


def claude(model: str) -> Claude:
    """The abilities of a model by its name; an unknown, newer name has those of the newest."""
    old = BUDGET_ONLY.search(model) is not None
    middle = BOTH.search(model) is not None
    return Claude(
        thinks=NO_THINKING.search(model) is None,
        adaptive=not old,
        budget=old or middle,
        effort=not old or WITH_EFFORT.search(model) is not None,
        samples=old or middle,
        max_tokens=next((size for names, size in SMALL if names.search(model)), DEFAULT_OUTPUT),
    )
