"""What a clause states about the person or the agent. A net of patterns; what it does not know it leaves."""

import re
from collections.abc import Callable, Iterator

from perdure.providers.demo.facts import Fact, upper_first

LONGEST_VALUE = 300
LONGEST_NAME = 5  # words

Match = re.Match[str]
Make = Callable[[Match], Fact | None]


def facts_of(clause: str) -> Iterator[Fact]:
    """The fact a clause states, if a pattern fits."""
    if clause.lower().startswith(CONDITIONS):
        return
    introduced = INTRODUCTION.match(clause)
    if introduced:
        yield from _introduction(introduced)
        return
    for pattern, make in STATEMENTS:
        match = pattern.match(clause)
        fact = match and make(match)
        if fact and fact.value and len(fact.value) <= LONGEST_VALUE:
            yield fact
            return


def clean(value: str) -> str:
    """A value without the punctuation and the small words around it."""
    value = TRAILING.sub("", OTHERS.sub("", value).strip(EDGES))
    return value.strip(EDGES)


CONDITIONS = ("if ", "when ", "unless ", "suppose ")
EDGES = " \t,;:.!?\"'“”"
TRAILING = re.compile(
    r"(?: (?:now|too|as well|these days|nowadays|right now|at the moment"
    r"|any ?more|instead|though|please|btw))+$",
    re.IGNORECASE,
)
OTHERS = re.compile(r",? (?:and|but) (?:he|she|it|they|this|that)\b.*$", re.IGNORECASE)  # another's story
WHEN = re.compile(
    r" (?:(?:last|this) (?:week|month|year|summer|winter|spring|autumn|\w+day)|yesterday|today|recently"
    r"|in \d{4}"
    r"|\w+ (?:days?|weeks?|months?|years?) ago|(?:since|for|because|with my) .+)$",
    re.IGNORECASE,
)
NO_THING = {"question", "point", "problem", "guess", "bad", "opinion", "understanding", "pleasure", "fault"}
EMPTY = {"", "it", "that", "this", "you", "them", "him", "her", "to", "so", "what", "how", "here", "there"}
NO_NEWS = r"(?:thinking|wondering|kidding|joking|looking|asking|trying|talking|saying|feeling|hoping)\b"
NO_NAME = frozenset(
    """
    ok okay fine good great well ready tired happy sad sorry back here there sure done not so very just
    from in at
    """.split()  # noqa: SIM905 - as below
)
NATIONS = frozenset(
    """
    american australian austrian belgian brazilian british canadian chinese czech danish dutch english
    european finnish french german greek hungarian indian irish italian japanese korean mexican norwegian
    polish portuguese romanian russian scottish spanish swedish swiss turkish ukrainian welsh
    buddhist catholic hindu jewish muslim vegan vegetarian
    """.split()  # noqa: SIM905 - a list of sixty quoted words is harder to read
)


def _keyed(key: str) -> Make:
    def make(match: Match) -> Fact | None:
        value = clean(match["value"])
        return None if value.lower() in EMPTY else Fact(key, value)

    return make


def _name(match: Match) -> Fact | None:
    value = clean(match["value"])
    if not value or len(value.split()) > LONGEST_NAME:
        return None
    return Fact("Name", value.title() if value.islower() else value)


def _introduction(match: Match) -> Iterator[Fact]:
    """`I'm Ann`, `I'm Ann from Oslo`, `I'm Ann, a nurse`; but `I'm German` and `I'm Ready` are no names."""
    value = clean(match["value"])
    if not value or value.split()[0].lower() in NO_NAME:
        return
    yield Fact("Is" if value.lower() in NATIONS else "Name", value)
    if match["place"]:
        yield Fact("From", clean(match["place"]))
    if match["job"]:
        yield Fact("Is", clean(match["job"]))


def _agent_name(match: Match) -> Fact | None:
    value = clean(match["value"])
    return Fact("Name", upper_first(value), "agent") if value else None


def _place(match: Match) -> Fact | None:
    return Fact("Lives in", clean(WHEN.sub("", clean(match["value"]))))


def _possession(match: Match) -> Fact | None:
    """`my dog's name is Rex`, `my email is …`: the thing itself is the key."""
    thing, value = match["thing"].strip(), clean(match["value"])
    if thing.split()[-1].lower() in NO_THING or value.lower() in EMPTY or value.lower().startswith("not "):
        return None
    return Fact(upper_first(thing), value)


def _changed(match: Match) -> Fact | None:
    """`change my name to Kate`."""
    return _name(match) if match["thing"].lower() == "name" else _possession(match)


def _named(match: Match) -> Fact | None:
    return Fact(f"{upper_first(match['thing'].strip())}'s name", clean(match["value"]))


def _favourite(match: Match) -> Fact | None:
    return Fact(f"Favourite {match['thing'].strip().lower()}", clean(match["value"]))


I_AM = r"i(?:'m| am|m) "
I_MAY = r"i(?:'m| am|m)? "
OFTEN = r"(?:really |also |still |just |now |currently |do |always |absolutely |quite |very much )*"
I_OFTEN = rf"i {OFTEN}"
MOVED = r"(?:i|we)(?:'ve| have)? (?:just |recently |now |actually )*(?:moved|relocated) "
AT = r"(?:now |currently )?(?:in|at|near|on) "
SOME = r"(?P<value>(?:an?|one|two|three|four|five|\d+|some|many) .+)$"
VALUE = r"(?P<value>.+)$"
NEVER = r"(?:don't|dont|do not|can't|cannot) (?:really )?"
THING = r"(?P<thing>[\w'-]+(?: [\w'-]+){0,2}?)"
CAPITAL = r"[^\W\d_a-z][\w'-]*"

PATTERNS: tuple[tuple[str, Make], ...] = (
    (rf"my (?:full |first |real )?name(?:'s| is) (?!not\b)(?:now |actually )?{VALUE}", _name),
    (rf"(?:please |you can |just )*call me {VALUE}", _name),
    (rf"i go by {VALUE}", _name),
    (rf"{I_AM}(?:called|named) {VALUE}", _name),
    (rf"(?:your name is|you(?: are|'re) called|i(?:'ll| will) call you) (?:now )?{VALUE}", _agent_name),
    (rf"(?:update|change|correct|set) my {THING} to {VALUE}", _changed),
    (rf"(?:{I_OFTEN}|we (?:now )?)(?:live|reside|stay) {AT}{VALUE}", _place),
    (rf"{I_AM}{OFTEN}(?:living|based|located) {AT}{VALUE}", _place),
    (rf"{MOVED}(?:from .+? )?(?:to|into) {VALUE}", _place),
    (rf"{I_OFTEN}live with {VALUE}", _keyed("Lives with")),
    (rf"(?:{I_AM}|i come )(?:originally )?from {VALUE}", _keyed("From")),
    (rf"{I_MAY}{OFTEN}work(?:ing)? as {VALUE}", _keyed("Works as")),
    (rf"my (?:job|profession|occupation) is {VALUE}", _keyed("Works as")),
    (rf"{I_MAY}{OFTEN}work(?:ing)? (?:at|for) {VALUE}", _keyed("Works at")),
    (rf"{I_AM}(?P<value>\d{{1,3}})(?: years?(?: old)?)?\W*$", _keyed("Age")),
    (r"my age is (?P<value>\d{1,3})\W*$", _keyed("Age")),
    (rf"my birthday(?:'s| is) (?:on )?{VALUE}", _keyed("Birthday")),
    (rf"i was born {VALUE}", _keyed("Born")),
    (rf"{I_AM}allergic to {VALUE}", _keyed("Allergic to")),
    (rf"{I_AM}(?:really |very )?interested in {VALUE}", _keyed("Interested in")),
    (rf"{I_AM}a (?:big |huge )?fan of {VALUE}", _keyed("Likes")),
    (rf"{I_AM}{OFTEN}learning {VALUE}", _keyed("Learning")),
    (rf"{I_AM}{OFTEN}(?:studying|a student of) {VALUE}", _keyed("Studies")),
    (rf"{I_AM}(?P<value>(?:an?|the|married|single|vegan|vegetarian|retired|deaf)\b.*)$", _keyed("Is")),
    (rf"{I_AM}(?!{NO_NEWS})(?P<value>[a-z]{{2,}}ing .+)$", _keyed("Is")),
    (rf"i {NEVER}(?:like|love|enjoy|stand|eat|drink) {VALUE}", _keyed("Dislikes")),
    (rf"i no longer (?:like|love|enjoy|eat|drink) {VALUE}", _keyed("Dislikes")),
    (rf"{I_OFTEN}(?:dislike|hate|loathe) {VALUE}", _keyed("Dislikes")),
    (rf"{I_OFTEN}(?:like|love|enjoy|adore) {VALUE}", _keyed("Likes")),
    (rf"{I_OFTEN}prefer {VALUE}", _keyed("Prefers")),
    (rf"i(?:'ve| have)? (?:got |also )*{SOME}", _keyed("Has")),
    (rf"{I_OFTEN}(?:have|own) {SOME}", _keyed("Has")),
    (rf"{I_OFTEN}speak {VALUE}", _keyed("Speaks")),
    (rf"{I_OFTEN}play {VALUE}", _keyed("Plays")),
    (rf"{I_OFTEN}study {VALUE}", _keyed("Studies")),
    (rf"{I_OFTEN}use {VALUE}", _keyed("Uses")),
    (rf"{I_OFTEN}(?:want|plan|hope|intend) (?P<value>to .+)$", _keyed("Wants")),
    (rf"my fav(?:ou?rite)? {THING} (?:is|are) (?:now )?{VALUE}", _favourite),
    (rf"(?:i have )?my {THING} (?:is|are) (?:called|named) {VALUE}", _named),
    (rf"my {THING} (?:is|are) (?:now |on )?{VALUE}", _possession),
)
INTRODUCTION = re.compile(
    rf"(?:(?i:i'm|i am|im|this is)) (?P<value>{CAPITAL}(?: {CAPITAL}){{0,2}})"
    r"(?: from (?P<place>.+?))?(?:, (?P<job>an? .+))?\W*$"
)
STATEMENTS = tuple((re.compile(pattern, re.IGNORECASE), make) for pattern, make in PATTERNS)
