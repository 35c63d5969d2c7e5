"""What a question asks for: itself, the person's own facts, the past, the agent. A net of patterns."""

import re
from dataclasses import dataclass
from typing import Literal

from perdure.providers.demo.facts import upper_first

QuestionKind = Literal["recall", "everything", "past", "agent", "other"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question: of what kind, where it is a plain one about which keys, and of `my …` the thing's owner."""

    kind: QuestionKind
    text: str
    keys: tuple[str, ...] = ()
    owner: str = ""


def is_question(sentence: str) -> bool:
    """Whether a sentence asks."""
    return sentence.rstrip().endswith("?") or bool(ASKING.match(sentence.lower()))


def classify(sentence: str) -> Question:
    """What a question is about."""
    lowered = sentence.lower().rstrip("?!. ")
    keys = tuple(key for pattern, found in ASKED_KEYS if pattern.search(lowered) for key in found)
    for pattern, kind in KINDS:
        if pattern.search(lowered):
            return Question(kind, sentence, keys)
    mine = MY_THING.search(lowered)
    if mine and not keys:
        thing = mine["thing"].replace("favorite", "favourite")
        keys = (upper_first(thing.removesuffix("'s name").strip()), upper_first(thing))
        return Question("recall", sentence, keys, "" if " and " in thing else thing.partition("'s")[0])
    about_me = bool(keys or re.search(r"\b(i|me|my|mine|am)\b", lowered))
    return Question("recall" if about_me else "other", sentence, keys)


MY_THING = re.compile(r"\bmy (?P<thing>[\w'-]+(?: [\w'-]+){0,3})$")
ASKING = re.compile(
    r"^(what|what's|whats|who|who's|whose|where|where's|when|which|why|how|do|did|does|can|could|would|will"
    r"|are|is|am|have|has|should|tell me (?:about|what|where|when|who|my|everything|if|how)|remind me|show me"
    r"|describe|summari[sz]e|list|search|find|look up|help)\b"
)

TALKED = r"(say|said|talk|talked|mention|mentioned|discuss|discussed|tell|told|ask|asked|speak|spoke)"
EVERYTHING = (
    r"what('s| is| do you have)? (in |stored in )?your (core )?memory"
    r"|what (all )?do you (know|remember)( about me)?$"
    r"|(know|remember|tell me|told you|everything|anything) about (me|myself)\b"
    r"|what (have i|did i) (tell|told) you$"
    r"|what('s| is) (on file|known) about me|describe me|list (my|the|all) (facts|memories)"
)
PAST = (
    rf"\b(did|have) (i|we|you) (ever |already )?{TALKED}\b"
    rf"|\b(what|when|where) (did|have) (i|we|you) {TALKED}"
    r"|^(search|find|look up)\b|last time|earlier|previous(ly)?|before"
)
AGENT = (
    r"\b(who|what) are you\b|what('s| is| are) your\b|what can you do|^help\b|how do you work|what is perdure"
    r"|are you (a |an |the )?(real|ai|human|bot|robot|chatgpt|llm|model|language|alive|demo)"
)
KINDS: tuple[tuple["re.Pattern[str]", QuestionKind], ...] = (
    (re.compile(EVERYTHING), "everything"),
    (re.compile(PAST), "past"),
    (re.compile(AGENT), "agent"),
)

KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\bmy (full |first )?name\b|\bwho am i\b|what am i called|\bcall me\b", ("Name",)),
    (
        r"where (do|am|did) i (live|living|based|now|move|moved)|my (home|address|city)"
        r"|(what|which) (city|town|country|place).*\b(i|my)\b",
        ("Lives in",),
    ),
    (r"where (am i|do i come) (originally )?from", ("From", "Lives in")),
    (
        r"what do i do\b|my (job|profession|occupation|work)\b|do i work as|(where|what|who) do i work",
        ("Works as", "Works at", "Is"),
    ),
    (r"how old am i|my age", ("Age", "Born")),
    (r"when (is my|was i)|my birthday", ("Birthday", "Born")),
    (
        r"(what|who|which).*\bdo i (like|love|enjoy)|my (hobbies|hobby|interests|likes)|do i like",
        ("Likes", "Prefers", "Interested in", "Plays"),
    ),
    (r"do i (dislike|hate|not like)|my dislikes", ("Dislikes",)),
    (r"do i prefer|my preferences?", ("Prefers",)),
    (r"am i allergic|my allerg", ("Allergic to",)),
    (r"do i speak|my languages?", ("Speaks",)),
    (r"do i (have|own)\b|my pets?\b", ("Has",)),
    (r"do i play", ("Plays",)),
    (r"do i study", ("Studies",)),
    (r"(ask|tell|told|asked) you to (remember|note)|my notes?\b", ("Note",)),
)
ASKED_KEYS = tuple((re.compile(pattern), keys) for pattern, keys in KEYS)
