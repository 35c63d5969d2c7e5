"""What the demo says. Every sentence is honest about what it is. Pure."""

from collections.abc import Sequence

from perdure.providers.demo.facts import Fact
from perdure.providers.demo.recall import sentence
from perdure.providers.demo.understand import Intent

MOST_EXCERPTS = 40

LABEL = "(I am the offline demo: fixed rules, not a language model.)"
HOW_TO_GO_ON = (
    "For real answers, set a key such as OPENAI_API_KEY or ANTHROPIC_API_KEY, or start a local server "
    "such as Ollama, and restart Perdure."
)
WHAT_I_CAN = (
    "I understand simple statements about you (“I live in Lisbon”), corrections (“actually I moved to "
    "Porto”), “remember that …”, “forget …”, and questions about what you told me."
)


def reply(parts: Sequence[str], *, label: bool) -> str:
    """One answer out of several things to say."""
    said = " ".join(part for part in parts if part)
    return f"{said}\n\n{LABEL}" if label and "offline demo" not in said else said


def noted(facts: Sequence[Fact], replaced: Sequence[str] = ()) -> str:
    """After facts were stored, perhaps in the place of others."""
    name = next((fact.value for fact in facts if fact.key == "Name" and fact.about == "human"), None)
    if name and not any(old.startswith("Name: ") for old in replaced):
        opening, rest = f"Nice to meet you, {name}!", [fact for fact in facts if fact.value != name]
    else:
        opening, rest = "Noted.", list(facts)
    told = f"{sentence([fact.spoken for fact in rest])} " if rest else ""
    before = " and ".join(f"“{old}”" for old in replaced)
    return f"{opening} {told}I wrote that into my memory{f' in place of {before}' if before else ''}."


def known_already(facts: Sequence[Fact]) -> str:
    """When memory held the facts before."""
    return f"I knew that already: {_inside(sentence([fact.spoken for fact in facts]))}"


def not_stored(fact: Fact, reason: str) -> str:
    """When the tool refused."""
    return f"I tried to remember that {fact.spoken}, but the memory tool answered: {reason[:300]}"


def cannot_store(facts: Sequence[Fact], has_blocks: bool) -> str:
    """When there is no way to store them."""
    lacks = "tool that edits memory" if has_blocks else "memory block to write to"
    return (
        f"I understood: {_inside(sentence([fact.spoken for fact in facts]))} But this agent has no {lacks}."
    )


def forgotten(wishes: Sequence[str], done: bool) -> str:
    """After a wish to forget."""
    what = " and ".join(f"“{wish}”" for wish in wishes)
    return (
        f"I took {what} out of my memory." if done else f"There was nothing about {what} in my memory blocks."
    )


def tool_said(name: str, text: str, status: str) -> str:
    """What another tool returned."""
    verb = "failed" if status == "error" else "returned"
    return f"The tool {name} {verb}: {text[:1000]}"


def no_answer(*, searched: bool) -> str:
    """When neither memory nor search knows."""
    where = "in my memory or in our past messages" if searched else "in my memory"
    known = "I am the offline demo and know only what I was told."
    return f"I found nothing about that {where}. {known} {HOW_TO_GO_ON}"


def who_i_am(name: str | None) -> str:
    """What the demo is."""
    called = f"My name is {name}. " if name else ""
    what = "I am Perdure's offline demo: fixed rules in place of a language model."
    return f"{called}{what} {WHAT_I_CAN} {HOW_TO_GO_ON}"


def small_talk(intent: Intent, name: str | None, *, event: bool, first: bool) -> str:
    """When nothing was stated or asked."""
    you = f", {name}" if name else ""
    hello = "Tell me something new, or ask what I remember about you."
    stranger = "What is your name? Tell me something about yourself and I will remember it."
    lines = (
        (event, f"Welcome back{you}."),
        (intent.farewell, f"Goodbye{you}. I keep what you told me."),
        (intent.thanks, f"You are welcome{you}."),
        (intent.greeting, f"Hello{you}! {hello if name else stranger}"),
        (intent.nod, "All right. Tell me something about yourself, or ask what I remember."),
        (not first, f"I did not understand that; I am only the offline demo. {WHAT_I_CAN}"),
    )
    what = "I am Perdure's offline demo, not a language model, and did not understand that."
    return next((line for applies, line in lines if applies), f"{what} {WHAT_I_CAN} {HOW_TO_GO_ON}")


def summary(texts: Sequence[str]) -> str:
    """A summary without understanding: the beginning of what was said."""
    lines = [f"- {' '.join(text.split())[:200]}" for text in texts if text.strip()]
    return "\n".join(["(Made by the offline demo: excerpts, not a real summary.)", *lines[:MOST_EXCERPTS]])


def _inside(text: str) -> str:
    return text[:1].lower() + text[1:]
