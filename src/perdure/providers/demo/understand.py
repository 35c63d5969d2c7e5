"""Reading what a person types: statements, wishes to forget, questions. Pure, and never fails.

A net of patterns, not a grammar: what it does not know it leaves alone.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from perdure.providers.demo.facts import Fact, upper_first

LONGEST_TEXT = 20_000
MOST_FACTS = 12
LONGEST_VALUE = 300
LONGEST_NAME = 5  # words

QuestionKind = Literal["recall", "everything", "past", "agent", "other"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question: of what kind, and where it is a plain one, about which keys of memory."""

    kind: QuestionKind
    text: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """All that was found in a text."""

    facts: tuple[Fact, ...] = ()
    forget: tuple[str, ...] = ()
    question: Question | None = None
    greeting: bool = False
    thanks: bool = False


def read(text: str) -> Intent:
    """What a person means, as far as rules can tell."""
    facts: dict[str, Fact] = {}
    forget: list[str] = []
    question: Question | None = None
    for sentence in sentences(text[:LONGEST_TEXT]):
        plain = _without_courtesy(sentence)
        dropped = FORGET.match(plain)
        if dropped:
            forget.append(_clean(dropped["what"]))
        elif is_question(plain) and not COMMAND.match(plain):
            question = question or classify(plain)
        else:
            for fact in stated(plain):
                facts.setdefault(fact.line.lower(), fact)
    found = tuple(facts.values())[:MOST_FACTS]
    opening = text.strip()[:40].lower()
    return Intent(
        found, tuple(forget), question, bool(GREETING.match(opening)), bool(THANKS.search(text[:200].lower()))
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
    found = [fact for clause in _clauses(body) for fact in _facts_of(clause)]
    if remember and not found:
        note = _clean(remember["what"])
        found = [Fact("Note", note)] if note else []
    yield from found


def as_own(sentence: str) -> str:
    """A line about the person as the person would say it: `The user's name is Ann`, `They live in Oslo`."""
    sentence = re.sub(r"(?i)^(the |this )?(user|human|person)'s ", "My ", sentence)
    match = re.match(
        r"(?i)^(?:(?:the |this )?(?:user|human|person)|they|she|he) (?P<verb>\w+?)(?P<s>s|es)? (?P<rest>.+)$",
        sentence,
    )
    if match is None:
        return sentence
    verb = {"i": "am", "ha": "have", "are": "am"}.get(match["verb"].lower(), match["verb"])
    return f"I {verb} {match['rest']}"


def is_question(sentence: str) -> bool:
    """Whether a sentence asks."""
    return sentence.rstrip().endswith("?") or bool(ASKING.match(sentence.lower()))


def classify(sentence: str) -> Question:
    """What a question is about."""
    lowered = sentence.lower().rstrip("?!. ")
    for pattern, kind in KINDS:
        if pattern.search(lowered):
            return Question(kind, sentence)
    keys = tuple(key for pattern, found in ASKED_KEYS if pattern.search(lowered) for key in found)
    mine = MY_THING.search(lowered)
    if not keys and mine:
        keys = (upper_first(mine["thing"].removesuffix("'s name").strip()), upper_first(mine["thing"]))
    about_me = bool(keys) or bool(re.search(r"\b(i|me|my|mine|am)\b", lowered))
    return Question("recall" if about_me else "other", sentence, keys)


def _without_courtesy(sentence: str) -> str:
    while True:
        shorter = COURTESY.sub("", sentence, count=1)
        if shorter == sentence or not shorter:
            return sentence
        sentence = shorter


def _clauses(sentence: str) -> Iterator[str]:
    """The parts of a sentence that could each be a fact; a missing `I` is put back."""
    for part in CLAUSE_BREAK.split(sentence):
        clause = _without_courtesy(part.strip(" ,"))
        yield f"I {clause}" if BARE_VERB.match(clause) else clause


def _facts_of(clause: str) -> Iterator[Fact]:
    if clause.lower().startswith(("if ", "when ", "unless ", "suppose ")):
        return
    for pattern, make in STATEMENTS:
        match = pattern.match(clause)
        fact = match and make(match)
        if fact and fact.value and len(fact.value) <= LONGEST_VALUE:
            yield fact
            return


def _clean(value: str) -> str:
    value = TRAILING.sub("", value.strip(" \t,;:.!?\"'“”"))
    return value.strip(" \t,;:.!?\"'“”")


Make = Callable[["re.Match[str]"], Fact | None]


def _keyed(key: str) -> Make:
    def make(match: "re.Match[str]") -> Fact | None:
        value = _clean(match["value"])
        return None if value.lower() in EMPTY_VALUES else Fact(key, value)

    return make


def _name(match: "re.Match[str]") -> Fact | None:
    value = _clean(match["value"])
    if not value or len(value.split()) > LONGEST_NAME:
        return None
    return Fact("Name", value.title() if value.islower() else value)


def _introduction(match: "re.Match[str]") -> Fact | None:
    """`I'm Ann`, but `I'm German` and `I'm Ready` are no names."""
    value = _clean(match["value"])
    if value.lower() in NATIONS:
        return Fact("Is", value)
    return None if value.split()[0].lower() in NO_NAME else Fact("Name", value)


def _place(match: "re.Match[str]") -> Fact | None:
    return Fact("Lives in", _clean(WHEN.sub("", _clean(match["value"]))))


def _agent_name(match: "re.Match[str]") -> Fact | None:
    value = _clean(match["value"])
    return Fact("Name", upper_first(value), "agent") if value else None


def _possession(match: "re.Match[str]") -> Fact | None:
    """`my dog's name is Rex`, `my email is …`: the thing itself is the key."""
    thing, value = match["thing"].strip(), _clean(match["value"])
    if (
        thing.split()[-1].lower() in NO_THING
        or value.lower() in EMPTY_VALUES
        or value.lower().startswith("not ")
    ):
        return None
    return Fact(upper_first(thing), value)


def _named(match: "re.Match[str]") -> Fact | None:
    return Fact(f"{upper_first(match['thing'].strip())}'s name", _clean(match["value"]))


def _favourite(match: "re.Match[str]") -> Fact | None:
    return Fact(f"Favourite {match['thing'].strip().lower()}", _clean(match["value"]))


def _pattern(text: str, flags: int = re.IGNORECASE) -> "re.Pattern[str]":
    return re.compile(text, flags)


I = r"^i(?:'m| am|m)"  # noqa: E741 - the word
OFTEN = r"(?:really |also |still |just |now |currently |do |always |absolutely |quite |very much )*"
VALUE = r"(?P<value>.+)$"

STATEMENTS: tuple[tuple["re.Pattern[str]", Make], ...] = (
    (_pattern(rf"^my (?:full |first |real )?name(?:'s| is) (?!not\b)(?:now |actually )?{VALUE}"), _name),
    (_pattern(rf"^(?:please |you can |just )*call me {VALUE}"), _name),
    (_pattern(rf"^i go by {VALUE}"), _name),
    (_pattern(rf"{I} (?:called|named) {VALUE}"), _name),
    (re.compile(r"^(?:I'm|I am|Im|i'm|i am|im|This is|this is) (?P<value>[^\W\d_a-z][\w'-]*(?: [^\W\d_a-z][\w'-]*){0,2})\W*$"), _introduction),
    (_pattern(rf"^(?:your name is|you are called|you're called|i(?:'ll| will) call you) (?:now )?{VALUE}"), _agent_name),
    (_pattern(rf"^i {OFTEN}(?:live|reside|stay|am living|am based) (?:now |currently )?(?:in|at|near|on) {VALUE}"), _place),
    (_pattern(rf"{I} {OFTEN}(?:living|based|located) (?:in|at|near|on) {VALUE}"), _place),
    (_pattern(rf"^i(?:'ve| have)? (?:just |recently |now |actually )*(?:moved|relocated) (?:from .+? )?(?:to|into) {VALUE}"), _place),
    (_pattern(rf"^i {OFTEN}live with {VALUE}"), _keyed("Lives with")),
    (_pattern(rf"^i(?:'m| am|m| come) (?:originally )?from {VALUE}"), _keyed("From")),
    (_pattern(rf"^i(?:'m| am|m)? {OFTEN}work(?:ing)? as {VALUE}"), _keyed("Works as")),
    (_pattern(rf"^my (?:job|profession|occupation) is {VALUE}"), _keyed("Works as")),
    (_pattern(rf"^i(?:'m| am|m)? {OFTEN}work(?:ing)? (?:at|for) {VALUE}"), _keyed("Works at")),
    (_pattern(rf"{I} (?P<value>\d{{1,3}})(?: years?(?: old)?)?\W*$"), _keyed("Age")),
    (_pattern(rf"^my age is (?P<value>\d{{1,3}})\W*$"), _keyed("Age")),
    (_pattern(rf"^my birthday(?:'s| is) (?:on )?{VALUE}"), _keyed("Birthday")),
    (_pattern(rf"^i was born {VALUE}"), _keyed("Born")),
    (_pattern(rf"{I} allergic to {VALUE}"), _keyed("Allergic to")),
    (_pattern(rf"{I} (?:really |very )?interested in {VALUE}"), _keyed("Interested in")),
    (_pattern(rf"{I} (?:a (?:big |huge )?)fan of {VALUE}"), _keyed("Likes")),
    (_pattern(rf"{I} {OFTEN}learning {VALUE}"), _keyed("Learning")),
    (_pattern(rf"{I} {OFTEN}(?:studying|a student of) {VALUE}"), _keyed("Studies")),
    (_pattern(rf"{I} (?P<value>(?:an?|the|married|single|vegan|vegetarian|left-handed|colou?r-?blind|deaf|retired)\b.*)$"), _keyed("Is")),
    (_pattern(rf"^i (?:no longer|(?:don't|dont|do not|can't|cannot) (?:really )?(?:like|love|enjoy|stand|eat|drink)) (?:like |love |enjoy )?{VALUE}"), _keyed("Dislikes")),
    (_pattern(rf"^i {OFTEN}(?:dislike|hate|loathe) {VALUE}"), _keyed("Dislikes")),
    (_pattern(rf"^i {OFTEN}(?:like|love|enjoy|adore) {VALUE}"), _keyed("Likes")),
    (_pattern(rf"^i {OFTEN}prefer {VALUE}"), _keyed("Prefers")),
    (_pattern(rf"^i(?:'ve| have)? (?:got |also )*(?:have |own )?(?P<value>(?:an?|one|two|three|four|five|\d+|some|many) .+)$"), _keyed("Has")),
    (_pattern(rf"^i {OFTEN}(?:have|own) (?P<value>(?:an?|one|two|three|four|five|\d+|some|many) .+)$"), _keyed("Has")),
    (_pattern(rf"^i {OFTEN}speak {VALUE}"), _keyed("Speaks")),
    (_pattern(rf"^i {OFTEN}play {VALUE}"), _keyed("Plays")),
    (_pattern(rf"^i {OFTEN}study {VALUE}"), _keyed("Studies")),
    (_pattern(rf"^i {OFTEN}use {VALUE}"), _keyed("Uses")),
    (_pattern(rf"^i {OFTEN}(?:want|plan|hope|intend) (?P<value>to .+)$"), _keyed("Wants")),
    (_pattern(rf"^my fav(?:ou?rite)? (?P<thing>[\w-]+(?: [\w-]+){{0,2}}) (?:is|are) (?:now )?{VALUE}"), _favourite),
    (_pattern(rf"^(?:i have )?my (?P<thing>[\w-]+(?: [\w-]+){{0,2}}) (?:is|are) (?:called|named) {VALUE}"), _named),
    (_pattern(rf"^my (?P<thing>[\w'-]+(?: [\w'-]+){{0,3}}?) (?:is|are) (?:now |on )?{VALUE}"), _possession),
)  # fmt: skip

NO_THING = {
    "question",
    "point",
    "problem",
    "guess",
    "bad",
    "opinion",
    "understanding",
    "pleasure",
    "fault",
    "idea",
    "god",
}
EMPTY_VALUES = {
    "",
    "it",
    "that",
    "this",
    "you",
    "them",
    "him",
    "her",
    "to",
    "so",
    "what",
    "how",
    "here",
    "there",
    "like",
}

VERBS = "live|work|like|love|enjoy|prefer|hate|dislike|speak|play|study|have|own|am|moved"
SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!\b(?:Dr|Mr|Ms|St)\.)(?<!\bMrs\.)\s+|\n+|;\s+")
CLAUSE_BREAK = re.compile(
    rf"(?:,? (?:and|but|also|then)|,) (?=(?:actually |now |also |currently )*(?:i|i'm|i've|im|my|call me|your name)\b)"
    rf"|,? and (?=(?:also |now )?(?:{VERBS})\b)",
    re.IGNORECASE,
)
BARE_VERB = re.compile(rf"^(?:also |now )?(?:{VERBS})\b", re.IGNORECASE)
TRAILING = re.compile(
    r"(?: (?:now|too|as well|these days|nowadays|right now|at the moment|any ?more|instead|though|please|by the way|btw))+$",
    re.IGNORECASE,
)
COURTESY = re.compile(
    r"^(?:(?:can|could|would|will) you (?:please )?(?=remember|note|call|forget|keep in mind|save|write)|"
    r"i(?:'d| would) like you to (?:know that )?(?=\S)|"
    r"(?:hi|hello|hey|hiya|good (?:morning|afternoon|evening)|well|oh|ok|okay|so|yes|yeah|no|nope|sorry|actually|"
    r"correction|wait|and|but|also|now|please|thanks|thank you|by the way|btw|fyi|just so you know|for the record|"
    r"i (?:should |want to |wanted to |must )?(?:mention|add|say|tell you)|you should know|i think|i mean|there|everyone)"
    r"(?:[,:!.\-]+ *| +that +| +)(?=\S))",
    re.IGNORECASE,
)
REMEMBER = re.compile(
    r"^(?:always )?(?:remember|don't forget|do not forget|note|keep in mind|make a note|save|write down|memorise|memorize)"
    r"(?:,? (?:that|this|the following))?(?::| |, )+(?P<what>.+)$",
    re.IGNORECASE,
)
FORGET = re.compile(
    r"^(?:forget|delete|erase|remove)(?: about)?(?: that| the fact that)? (?P<what>(?!it\b|about it\b).+)$",
    re.IGNORECASE,
)
GREETING = re.compile(r"^\W*(hi|hello|hey|hiya|good (morning|afternoon|evening)|greetings)\b")
THANKS = re.compile(r"\b(thanks|thank you|cheers)\b")

WHEN = re.compile(
    r" (?:(?:last|this) (?:week|month|year|summer|winter|spring|autumn|\w+day)|yesterday|today|recently|in \d{4}|\w+ (?:days?|weeks?|months?|years?) ago|(?:since|for) .+|because .+|with my .+)$",
    re.IGNORECASE,
)
NO_NAME = frozenset(
    "ok okay fine good great well ready tired happy sad sorry back here there sure done not so very just from in at".split()
)
NATIONS = frozenset(
    "american australian austrian belgian brazilian british canadian chinese czech danish dutch english european finnish "
    "french german greek hungarian indian irish italian japanese korean mexican norwegian polish portuguese romanian russian "
    "scottish spanish swedish swiss turkish ukrainian welsh buddhist catholic hindu jewish muslim vegan vegetarian".split()
)
COMMAND = re.compile(r"^(?:remember|note|keep in mind|save|write down)(?::| that\b| this\b)", re.IGNORECASE)

ASKING = re.compile(
    r"^(what|what's|whats|who|who's|whose|where|where's|when|which|why|how|do|did|does|can|could|would|will|are|is|am|"
    r"have|has|should|tell me|remind me|show me|list|describe|search|find|look up|help)\b"
)
KINDS: tuple[tuple["re.Pattern[str]", QuestionKind], ...] = (
    (re.compile(r"what('s| is| do you have)? (in |stored in )?your (core )?memory|what (all )?do you (know|remember)( about me)?$|"
                r"(know|remember|tell me|told you|everything|anything) about (me|myself)\b|what (have i|did i) (tell|told) you$|"
                r"what('s| is) (on file|known) about me|describe me|list (my|the|all) (facts|memories)"), "everything"),
    (re.compile(r"\b(did|have) (i|we|you) (ever |already )?(say|said|talk|talked|mention|mentioned|discuss|discussed|tell|told|ask|asked)\b|"
                r"\b(what|when|where) (did|have) (i|we|you) (say|talk|mention|discuss|tell|ask|speak)|^(search|find|look up)\b|"
                r"last time|earlier|previous(ly)?|before"), "past"),
    (re.compile(r"\b(who|what) are you\b|what('s| is| are) your\b|what can you do|^help\b|how do you work|"
                r"are you (a |an |the )?(real|ai|human|bot|robot|chatgpt|llm|model|language|alive|demo)|what is perdure"), "agent"),
)  # fmt: skip
ASKED_KEYS: tuple[tuple["re.Pattern[str]", tuple[str, ...]], ...] = (
    (re.compile(r"\bmy (full |first )?name\b|\bwho am i\b|what am i called|\bcall me\b"), ("Name",)),
    (re.compile(r"where (do|am|did) i (live|living|based|now|move|moved)|(what|which) (city|town|country|place).*\b(i|my)\b|my (home|address|city)"), ("Lives in",)),
    (re.compile(r"where (am i|do i come) (originally )?from"), ("From", "Lives in")),
    (re.compile(r"what do i do\b|my (job|profession|occupation|work)\b|do i work as|(where|what|who) do i work"), ("Works as", "Works at", "Is")),
    (re.compile(r"how old am i|my age"), ("Age", "Born")),
    (re.compile(r"when (is my|was i)|my birthday"), ("Birthday", "Born")),
    (re.compile(r"(what|who|which).*\bdo i (like|love|enjoy)|my (hobbies|hobby|interests|likes)|do i like"), ("Likes", "Prefers", "Interested in", "Plays")),
    (re.compile(r"do i (dislike|hate|not like)|my dislikes"), ("Dislikes",)),
    (re.compile(r"do i prefer|my preferences?"), ("Prefers",)),
    (re.compile(r"am i allergic|my allerg"), ("Allergic to",)),
    (re.compile(r"do i speak|my languages?"), ("Speaks",)),
    (re.compile(r"do i (have|own)\b|my pets?\b"), ("Has",)),
    (re.compile(r"do i play"), ("Plays",)),
    (re.compile(r"do i study"), ("Studies",)),
)  # fmt: skip
MY_THING = re.compile(r"\bmy (?P<thing>[\w'-]+(?: [\w'-]+){0,3})$")
