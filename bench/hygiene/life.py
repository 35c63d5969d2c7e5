"""A long scripted life: what a person says, day by day, and what of it is true in the end. Deterministic.

Most of what people say is no fact to keep. Facts are told, told again in the same words or in others, and
change; the newest word on a topic counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

TOPICS = {
    "home": ("I live in {}.", "My home is in {} these days.", ("Oslo", "Bergen", "Lisbon", "Graz", "Turku")),
    "job": ("I work as a {}.", "They pay me to be a {}.", ("nurse", "baker", "pilot", "tailor", "vet")),
    "drink": ("I like {} best.", "Nothing beats {} for me.", ("tea", "coffee", "cocoa", "maté", "cider")),
    "pet": ("My pet is a {}.", "At home a {} waits for me.", ("cat", "dog", "parrot", "tortoise", "goat")),
    "sport": ("I train {} now.", "My sport is {}.", ("judo", "rowing", "chess", "fencing", "curling")),
    "trip": ("I plan a trip to {}.", "Next I travel to {}.", ("Kyoto", "Quito", "Malta", "Perth", "Riga")),
    "allergy": ("I must not eat {}.", "My doctor forbade me {}.", ("nuts", "eggs", "fish", "milk", "celery")),
    "friend": ("My best friend is {}.", "I am closest to {}.", ("Tom", "Ines", "Bo", "Maja", "Olaf")),
}
SMALL_TALK = (
    "How are you today?",
    "It rains again.",
    "Thank you, that helps.",
    "Tell me a joke.",
    "Good morning!",
    "I have to go now.",
    "What time is it?",
    "That was funny.",
)


@dataclass(slots=True)
class Life:
    """What is said, in order, and what is true in the end."""

    sayings: list[str] = field(default_factory=list[str])
    true: dict[str, str] = field(default_factory=dict[str, str])


def life(turns: int, seed: int) -> Life:
    """A life of so many sayings: about half small talk, a third facts told again, the rest news."""
    random, lived = Random(seed), Life()
    for _ in range(turns):
        kind = random.choices(("talk", "again", "fact"), (3, 2, 1))[0]
        if kind == "talk" or (kind == "again" and not lived.true):
            lived.sayings.append(random.choice(SMALL_TALK))
            continue
        topic = random.choice(sorted(lived.true if kind == "again" else TOPICS))
        *sentences, values = TOPICS[topic]
        value = lived.true[topic] if kind == "again" else random.choice(values)
        lived.true[topic] = value
        lived.sayings.append(random.choice(sentences).format(value))
    return lived


def facts_in(text: str) -> Iterator[tuple[str, str]]:
    """The facts that a text states: topics and values, in their order."""
    for line in text.splitlines():
        for topic, (*sentences, values) in TOPICS.items():
            for value in values:
                if any(sentence.format(value) in line for sentence in sentences):
                    yield topic, value
