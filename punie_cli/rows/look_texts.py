"""Notes under headings and logs, with questions in other words than theirs."""

# ruff: noqa: E501  (one line of notes a line)

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from punie_cli.rows import names

# Heading; then lines, each with questions about it; what is the subject of a section in other words.
_SECTIONS = """
= Keys | opening doors; getting into rooms; locked doors
{p} has the spare key of the {w} shed | who can open the {w} shed; who do I ask to get into the {w} shed
The code of the {w} gate is {n} | how do I open the {w} gate; what do I type at the {w} gate
The {w} cupboard is never locked | is the {w} cupboard locked; do I need a key for the {w} cupboard
= Deliveries | arriving goods; things that are brought; the suppliers
{w} crates come on {d} | on what day do we get {w} crates; when are the {w} crates brought
The {w} supplier wants {n} boxes back | how many boxes does the {w} supplier want; what do we owe the {w} supplier
{p} signs for {w} parcels | who accepts {w} parcels; who takes in parcels of {w}
= Repairs | broken things; things to mend; defects
The {w} pump leaks since {d} | what is wrong with the {w} pump; since when does the {w} pump drip
{p} mends the {w} ladder for {n} euros | what does mending the {w} ladder cost; who takes care of the {w} ladder
A new {w} hinge costs {n} euros | how much is a {w} hinge; what do we pay for a {w} hinge
= Visitors | guests; people who come to see us; groups
The {w} school sends {n} pupils on {d} | how many children come from the {w} school; when does the {w} school come
{p} shows the {w} guests around | who guides the {w} guests; who walks with the {w} guests
= Money | spending; costs; the budget
The {w} fund still holds {n} euros | how much is left in the {w} fund; what can we spend from the {w} fund
{p} paid {n} euros for the {w} banner | what did the {w} banner cost; who bought the {w} banner
= Phones | numbers to call; reaching people; ringing somebody
{w} hotline: extension {n} | what number has the {w} hotline; what do I dial for the {w} hotline
Outside hours ring {p} about the {w} line | who answers about the {w} line at night; whom do I call in the evening about the {w} line
= Meetings | sitting together; talks; rounds of all
The {w} circle meets on {d} in room {n} | where does the {w} circle meet; on what day is the {w} circle
{p} writes the minutes of the {w} round | who takes notes in the {w} round; who keeps record of the {w} round
= Plants | growing things; the garden; watering and cutting
The {w} hedge needs {n} litres every {d} | how much water does the {w} hedge get; when do we water the {w} hedge
{p} cuts the {w} lawn | who mows the {w} lawn; whose job is the {w} lawn
= Animals | creatures we keep; feeding; pets
The {w} hen lays {n} eggs a month | how many eggs come from the {w} hen; how good is the {w} hen
{p} feeds the {w} ducks on {d} | who gives food to the {w} ducks; on what day do the {w} ducks get food
"""
_PEOPLE = """
Adele Boris Carmen Dario Edda Farid Gesine Hugo Ilka Jarek Kaisa Leon Mirela Nils Orla Piet Runa Stefan Thea Umberto
Vera Wanda Xaver Ylva Zeno
""".split()  # noqa: SIM905  (names read better as words)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Fact:
    """A line of notes, and how somebody asks for what it says."""

    heading: str
    subjects: Sequence[str]
    line: str
    asks: Sequence[str]
    word: str
    """The one that tells it from other lines of its kind."""


@dataclass(frozen=True)
class Notes:
    """A file of notes as a generated project holds it."""

    path: str
    text: str
    facts: list[Fact]


@dataclass(frozen=True)
class Log:
    """A log; `levels` says how it writes what people call info, warning and error."""

    path: str
    text: str
    levels: dict[str, str]
    parts: list[str]


def make_notes(rng: Random) -> Notes:
    """Notes of three to five sections, as Markdown or plain text."""
    blocks = rng.sample(_SECTIONS.strip().removeprefix("= ").split("\n= "), rng.randint(3, 5))
    markdown = rng.random() < 0.6
    facts: list[Fact] = []
    parts = []
    for block in blocks:
        head, *lines = block.splitlines()
        heading, subjects = head.split(" | ")
        shown = [f"## {heading}" if markdown else f"{heading.upper()}"]
        for line in rng.sample(lines, rng.randint(1, len(lines))):
            slots = {"p": rng.choice(_PEOPLE), "w": names.word(rng), "n": rng.randint(3, 4999), "d": rng.choice(_DAYS)}
            said, asks = line.format(**slots).split(" | ")
            facts.append(Fact(heading, subjects.split("; "), said, asks.split("; "), str(slots["w"])))
            shown.append(f"- {said}" if markdown else said)
        parts.append("\n".join(shown))
    title = f"# {names.phrase(rng).capitalize()}\n\n" if markdown else ""
    place = rng.choice(["", "notes/", "docs/", "wiki/"])
    stem = rng.choice(["house", "handbook", "remember", names.word(rng), names.stem(rng)])
    return Notes(f"{place}{stem}.{'md' if markdown else 'txt'}", title + "\n\n".join(parts) + "\n", facts)


_LEVELS = (
    {"info": "INFO", "warning": "WARN", "error": "ERROR"},
    {"info": "INFO", "warning": "WARNING", "error": "ERROR"},
    {"info": "[info]", "warning": "[warn]", "error": "[fail]"},
    {"info": "I", "warning": "W", "error": "E"},
    {"info": "ok:", "warning": "careful:", "error": "bad:"},
    {"info": "note", "warning": "alert", "error": "fatal"},
)
_HAPPENED = {
    "info": ("started", "finished in {n} ms", "took {n} items", "is idle", "said hello to {w}"),
    "warning": ("is slow: {n} ms", "has only {n} MB left", "tried {w} twice", "waits for {w}"),
    "error": ("lost {w}", "stopped after {n} s", "cannot reach {w}", "gave up on item {n}"),
}


def make_log(rng: Random) -> Log:
    """A log of 20 to 120 lines about a few parts of a machine."""
    levels = rng.choice(_LEVELS)
    parts = [*dict.fromkeys(names.word(rng) for _ in range(4))]
    day, minute = f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}", rng.randint(10, 300)
    lines = []
    for place in range(rng.randint(20, 120)):
        minute += rng.randint(1, 6)
        # The first three lines show how each level is written: who looks at them knows what to search for.
        level = ("info", "warning", "error")[place] if place < 3 else rng.choice(["info", "info", "info", *levels])
        happened = rng.choice(_HAPPENED[level]).format(n=rng.randint(2, 900), w=names.word(rng))
        lines.append(f"{day} {minute // 60:02}:{minute % 60:02} {levels[level]} {rng.choice(parts)} {happened}\n")
    path = f"{rng.choice(['', 'logs/', 'var/', 'run/'])}{names.word(rng)}.log"
    return Log(path, "".join(lines), levels, parts)
