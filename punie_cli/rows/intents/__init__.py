"""Scripted intents: what a user may ask, and what a good model would do and say.

An intent is a generator function over a project. It yields messages: a question, programs, an answer. What it gets back
for a program is the recorded output, and its next message may use nothing else.
"""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from random import Random
from types import FunctionType

from punie_cli.agent.messages import Message
from punie_cli.rows.projects import Project

Script = Generator[Message, Message, None]
Intent = Callable[[Project, Random], Script]


class Unsuitable(Exception):
    """Raised by an intent for a project that it has nothing to ask about."""


@dataclass(frozen=True)
class Declared:
    """An intent with its name, the group that a phase names, and its weight inside the group."""

    name: str
    group: str
    weight: float
    script: Intent


_all: dict[str, Declared] = {}


def intent(group: str, weight: float = 1.0) -> Callable[[FunctionType], FunctionType]:
    """Declare a generator function as an intent of a group."""

    def keep(script: FunctionType) -> FunctionType:
        name = script.__name__.replace("_", "-")
        _all[name] = Declared(name, group, weight, script)
        return script

    return keep


def groups() -> dict[str, list[Declared]]:
    """All intents by group, in order of declaration."""
    from punie_cli.rows.intents import checks, commands, files, fixes, writes  # noqa: F401  (they declare)

    found: dict[str, list[Declared]] = {}
    for declared in _all.values():
        found.setdefault(declared.group, []).append(declared)
    return found


_CHOICE = re.compile(r"\(([^()]*)\)")


def say(rng: Random, forms: str, **slots: object) -> str:
    """One wording. `forms` has one a line; `(a|b|)` inside is a choice; `{slot}` is filled in afterwards."""
    lines = [line.strip() for line in forms.strip().splitlines()]
    text = rng.choice(lines)
    while match := _CHOICE.search(text):
        text = text[: match.start()] + rng.choice(match[1].split("|")) + text[match.end() :]
    text = re.sub(r" +", " ", text).strip()
    return text.format(**slots)


def ask(rng: Random, forms: str, **slots: object) -> str:
    """A question in the ways people type: sometimes polite, capitalised, with a question mark or a quoted path."""
    if "path" in slots and rng.random() < 0.2:
        quote = rng.choice("`\"'`")
        slots = slots | {"path": f"{quote}{slots['path']}{quote}"}
    text = say(rng, forms, **slots)
    question = text.lower().startswith(
        (
            "how",
            "what",
            "which",
            "is ",
            "are ",
            "does",
            "do ",
            "where",
            "can ",
            "could",
            "who",
            "has ",
            "any ",
        )
    )
    roll = rng.random()
    if roll < 0.08 and not question:
        text = "please " + text
    elif roll < 0.14 and "text" not in slots:
        text += rng.choice([" please", ", please", ", thanks"])
    elif roll < 0.17:
        text = rng.choice(["hey, ", "ok, ", "now ", "next: "]) + text
    first = text.split()[0]
    if rng.random() < 0.4 and first.strip("`\"'").rstrip(",").isalpha():
        text = text[0].upper() + text[1:]
    if question and rng.random() < 0.6:
        text += "?"
    elif rng.random() < 0.08 and "text" not in slots:
        text += "."
    return text


def listed(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def count(number: int, thing: str) -> str:
    """`no type errors`, `1 type error`, `3 type errors`."""
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"
