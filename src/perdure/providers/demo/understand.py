"""Reading what a person types: statements, wishes to forget, questions. Pure, and never fails."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from perdure.providers.demo.facts import Fact
from perdure.providers.demo.questions import Question, classify, is_question
from perdure.providers.demo.statements import clean, facts_of

LONGEST_TEXT = 20_000
MOST_FACTS = 12


@dataclass(frozen=True, slots=True)
class Intent:
    """All that was found in a text."""

    facts: tuple[Fact, ...] = ()
    forget: tuple[str, ...] = ()
    question: Question | None = None
    greeting: bool = False
    thanks: bool = False
    farewell: bool = False
    nod: bool = False


def read(text: str) -> Intent:
    """What a person means, as far as rules can tell."""
    facts: dict[tuple[str, str], Fact] = {}
    forget: list[str] = []
    question: Question | None = None
    for sentence in sentences(text[:LONGEST_TEXT]):
        plain = ANY_MORE.sub(r"i no longer \g<what>", _without_courtesy(sentence))
        dropped = FORGET.match(plain) or NO_LONGER.match(plain)
        if dropped:
            forget.append(clean(dropped["what"]))
        elif HOW_ARE_YOU.match(plain.lower()):
            continue
        elif is_question(plain) and not COMMAND.match(plain):
            question = question or classify(plain)
        else:
            facts |= {(fact.about, fact.key if fact.single else fact.line): fact for fact in stated(plain)}
    opening = text.strip()[:60].lower()
    return Intent(
        tuple(facts.values())[:MOST_FACTS],
        tuple(wish for wish in forget if wish),
        question,
        greeting=bool(GREETING.match(opening) or HOW_ARE_YOU.match(opening)),
        thanks=bool(THANKS.search(text[:200].lower())),
        farewell=bool(FAREWELL.match(opening)),
        nod=bool(NOD.match(opening)),
    )


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, without the white space around them."""
    for part in SENTENCE_END.split(text.replace("’", "'")):
        stripped = " ".join(part.split())
        if stripped:
            yield stripped


def stated(sentence: str) -> Iterator[Fact]:
    """The facts a statement holds, clause by clause; a `remember that …` is a note if nothing better."""
    remember = REMEMBER.match(sentence)
    body = remember["what"] if remember else sentence
    found = [fact for clause in _clauses(body) for fact in facts_of(clause)]
    if remember and not found:
        note = clean(remember["what"])
        found = [Fact("Note", note)] if note else []
    yield from found


def as_own(sentence: str) -> str:
    """A line about the person as the person would say it: `The user's name is Ann`, `They live in Oslo`."""
    match = ABOUT_PERSON.match(POSSESSIVE.sub("My ", sentence))
    if match is None:
        return POSSESSIVE.sub("My ", sentence)
    verb = {"is": "am", "are": "am", "has": "have"}.get(match["verb"].lower(), match["verb"])
    return f"I {verb.removesuffix('s')} {match['rest']}"


def _without_courtesy(sentence: str) -> str:
    while (shorter := COURTESY.sub("", sentence, count=1)) != sentence:
        sentence = shorter
    return sentence


def _clauses(sentence: str) -> Iterator[str]:
    """The parts of a sentence that could each be a fact; a missing `I` is put back."""
    for part in CLAUSE_BREAK.split(sentence):
        clause = _without_courtesy(part.strip(" ,"))
        yield f"I {clause}" if BARE_VERB.match(clause) else clause


VERBS = "live|work|like|love|enjoy|prefer|hate|dislike|speak|play|study|have|own|am|moved"
SENTENCE_END = re.compile(
    r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\b(?:Dr|Mr|Ms|St)\.)(?<!\bMrs\.)\s+|\n+|;\s+|:\s+(?=[Ii]\b|[Mm]y\b)"
)
CLAUSE_BREAK = re.compile(
    r"(?:,? (?:and|but|also|then)|,) "
    r"(?=(?:actually |now |also |currently )*(?:i|i'm|i've|im|my|call me|your name)\b)"
    rf"|(?:,? and|,) (?=(?:also |now )?(?:{VERBS})\b)",
    re.IGNORECASE,
)
BARE_VERB = re.compile(rf"(?:also |now )?(?:{VERBS})\b", re.IGNORECASE)
COURTESY = re.compile(
    r"^(?:(?:can|could|would|will) you (?:please )?(?=remember|note|call|forget|keep in mind|save|write)"
    r"|i(?:'d| would) like you to (?:know that )?(?=\S)"
    r"|(?:hi|hello|hey|hiya|good (?:morning|afternoon|evening)|well|oh|ok|okay|so|yes|yeah|no|nope|sorry"
    r"|actually|correction|wait|and|but|also|now|please|thanks|thank you|by the way|btw|fyi"
    r"|just so you know|for the record|i (?:should |want to |wanted to |must )?(?:mention|add|say|tell you)"
    r"|you should know|i think|i mean|there|everyone)(?:[,:!.\-]+ *| +that +| +)(?=\S))",
    re.IGNORECASE,
)
REMEMBER = re.compile(
    r"(?:always )?(?:remember|don't forget|do not forget|note|keep in mind|make a note|save|write down"
    r"|memori[sz]e)"
    r"(?:,? (?:that|this|the following))?(?::| |, )+(?P<what>.+)$",
    re.IGNORECASE,
)
COMMAND = re.compile(r"(?:remember|note|keep in mind|save|write down)(?::| that\b| this\b)", re.IGNORECASE)
FORGET = re.compile(
    r"(?:forget|delete|erase|remove)(?: about)?(?: that| the fact that)? (?P<what>(?!it\b|about it\b).+)$",
    re.IGNORECASE,
)
ANY_MORE = re.compile(
    r"^i(?:'m not| am not| don't| do not) (?P<what>.+?) any ?(?:more|longer)\W*$", re.IGNORECASE
)
NO_LONGER = re.compile(
    r"i(?:'m| am)? no longer (?!(?:like|love|enjoy|eat|drink)\b)(?P<what>.+)$", re.IGNORECASE
)
HOW_ARE_YOU = re.compile(r"(?:and )?(how are you|how's it going|how is it going|how do you do|what's up)\b")
FAREWELL = re.compile(r"\W*(bye|goodbye|good night|see you|ciao|farewell)\b")
NOD = re.compile(
    r"\W*(ok|okay|yes|yeah|yep|no|nope|sure|great|cool|nice|good|fine|perfect|wow|right|i see)\W*$"
)
GREETING = re.compile(r"\W*(hi|hello|hey|hiya|good (morning|afternoon|evening)|greetings)\b")
THANKS = re.compile(r"\b(thanks|thank you|cheers)\b")
POSSESSIVE = re.compile(r"^(?:the |this )?(?:user|human|person)'s ", re.IGNORECASE)
ABOUT_PERSON = re.compile(
    r"(?:(?:the |this )?(?:user|human|person)|they|she|he) (?P<verb>\w+) (?P<rest>.+)$", re.IGNORECASE
)
