"""What a person can state: a key, a value, and how to say it back."""

from dataclasses import dataclass
from typing import Literal

About = Literal["human", "agent"]

# Keys that hold one value at a time: a new one replaces the old. The others collect.
SINGLE = {
    "Name",
    "Lives in",
    "From",
    "Works as",
    "Works at",
    "Age",
    "Birthday",
    "Born",
    "Prefers to be called",
}

SPOKEN = {
    "Name": "your name is {}",
    "Lives in": "you live in {}",
    "Lives with": "you live with {}",
    "From": "you come from {}",
    "Works as": "you work as {}",
    "Works at": "you work at {}",
    "Is": "you are {}",
    "Age": "you are {} years old",
    "Birthday": "your birthday is {}",
    "Born": "you were born {}",
    "Likes": "you like {}",
    "Dislikes": "you do not like {}",
    "Prefers": "you prefer {}",
    "Has": "you have {}",
    "Speaks": "you speak {}",
    "Plays": "you play {}",
    "Studies": "you study {}",
    "Learning": "you are learning {}",
    "Uses": "you use {}",
    "Wants": "you want {}",
    "Allergic to": "you are allergic to {}",
    "Interested in": "you are interested in {}",
    "Note": "you asked me to remember “{}”",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing stated, about the person or about the agent."""

    key: str
    value: str
    about: About = "human"

    @property
    def line(self) -> str:
        """The fact as a line of a memory block."""
        return f"{self.key}: {self.value}"

    @property
    def single(self) -> bool:
        """Whether a new value of this key replaces the old one."""
        return self.key in SINGLE or self.key not in SPOKEN

    @property
    def spoken(self) -> str:
        """The fact as a clause addressed to the person."""
        if self.about == "agent":
            return f"my {self.key.lower()} is {self.value}"
        return SPOKEN.get(self.key, f"your {lower_first(self.key)} is {{}}").format(self.value)


def lower_first(text: str) -> str:
    """The text as it stands inside a sentence; acronyms keep their capitals."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def upper_first(text: str) -> str:
    """The text as it stands at a sentence's beginning."""
    return text[:1].upper() + text[1:]


def parse_line(line: str) -> Fact | None:
    """A memory line of the form `Key: value`, if it is one."""
    key, colon, value = line.strip().lstrip("-*• ").partition(":")
    key, value = key.strip(), value.strip()
    if not colon or not value or not key or len(key) > 40 or value.startswith("//"):
        return None
    return Fact(upper_first(key), value)
