"""Scripted intents: what a user may ask, and what a good model would do and say.

An intent is a generator function over a project. It yields messages: a question, programs, an answer. What it gets back
for a program is the recorded output, and its next message may use nothing else.
"""

import importlib
import json
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FunctionType

from punie_cli.agent.messages import Message, user
from punie_cli.rows.project import Project

Script = Generator[Message, Message, None]
Intent = Callable[[Project, "Voice"], Script]


class Unsuitable(Exception):
    """Raised by an intent for a project that it has nothing to ask about."""


@dataclass(frozen=True)
class Declared:
    """An intent with its name, its weight inside a group, and what its programs run in."""

    name: str
    weight: float
    script: Intent
    missing: tuple[str, ...]
    """Tools that are not installed where it is played."""
    refused: bool
    """Whether every question about a write or a command gets a no."""
    alone: bool
    """Whether it is the only turn of its conversation."""


@dataclass(frozen=True)
class Forms:
    """Wordings that several intents share, one a line; `name` stands in their families."""

    name: str
    text: str


class Voice(Random):
    """The random source of a conversation's scripts; it notes which phrasing families they spoke in."""

    families: tuple[str, ...] = ()
    """`INTENT/FORM` of each question so far; FORM counts from 0."""
    wordings: int = 0
    """Forms that the last question was chosen from."""
    _intent: str = ""

    def begin(self, intent: str) -> None:
        """The questions that follow are of this intent."""
        self._intent = intent

    def wording(self, forms: "str | Forms") -> str:
        """One of the forms."""
        name, text = (forms.name, forms.text) if isinstance(forms, Forms) else (self._intent, forms)
        lines = [line.strip() for line in text.strip().splitlines()]
        number = self.randrange(len(lines))
        self.families = (*self.families, f"{name}/{number}")
        self.wordings = len(lines)
        return lines[number]


_groups: dict[str, dict[str, Declared]] = {}


def intent(
    named: str, weight: float = 1.0, *, missing: tuple[str, ...] = (), refused: bool = False, alone: bool = False
) -> Callable[[FunctionType], FunctionType]:
    """Declare a generator function as an intent of one or more groups (names with a space between)."""

    def keep(script: FunctionType) -> FunctionType:
        name = script.__name__.replace("_", "-")
        declared = Declared(name, weight, script, missing, refused, alone or bool(missing) or refused)
        for group in named.split():
            _groups.setdefault(group, {})[name] = declared
        return script

    return keep


def groups() -> dict[str, list[Declared]]:
    """All intents by group, sorted by name: what is drawn must not depend on what was imported first."""
    here = Path(__file__).parent
    for module in sorted(path.stem for path in here.glob("*.py") if path.stem != "__init__"):
        importlib.import_module(f"{__name__}.{module}")
    return {group: [intents[name] for name in sorted(intents)] for group, intents in sorted(_groups.items())}


_CHOICE = re.compile(r"\(([^()]*)\)")


def say(voice: Voice, forms: str | Forms, **slots: object) -> str:
    """One wording. `forms` has one a line; `(a|b|)` inside is a choice; `{slot}` is filled in afterwards."""
    text = voice.wording(forms)
    while match := _CHOICE.search(text):
        text = text[: match.start()] + voice.choice(match[1].split("|")) + text[match.end() :]
    text = re.sub(r" +", " ", text).strip()
    return text.format(**slots)


_QUESTION = (
    "how", "what", "which", "is ", "are ", "does", "do ", "where", "can ", "could", "who", "has ", "any ", "why",
    "did ", "would", "was ",
)  # fmt: skip


def ask(voice: Voice, forms: str | Forms, **slots: object) -> Message:
    """A question in the ways people type: sometimes polite, capitalised, with a question mark or a quoted path."""
    if "path" in slots and voice.random() < 0.2:
        quote = voice.choice("`\"'`")
        slots = slots | {"path": f"{quote}{slots['path']}{quote}"}
    text = say(voice, forms, **slots)
    question = text.lower().startswith(_QUESTION)
    roll = voice.random()
    if roll < 0.08 and not question:
        text = "please " + text
    elif roll < 0.14 and "text" not in slots:
        text += voice.choice([" please", ", please", ", thanks"])
    elif roll < 0.17:
        text = voice.choice(["hey, ", "ok, ", "now ", "next: "]) + text
    first = text.split()[0]
    if voice.random() < 0.4 and first.strip("`\"'").rstrip(",").isalpha():
        text = text[0].upper() + text[1:]
    if question and voice.random() < 0.6:
        text += "?"
    elif voice.random() < 0.08 and "text" not in slots:
        text += "."
    return user(text)


def rarely(voice: Voice) -> None:
    """Lets one in four go on: most questions have something to be found, some have not."""
    if voice.random() < 0.75:
        raise Unsuitable


def listed(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def count(number: int, thing: str) -> str:
    """`no type errors`, `1 type error`, `3 type errors`."""
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def quoted(text: str) -> str:
    """A Python literal with as few escapes as possible: one way to write each text."""
    if '"' not in text or "'" in text or "\\" in text:
        return json.dumps(text, ensure_ascii=False)
    return "'" + text.replace("\n", "\\n") + "'"
