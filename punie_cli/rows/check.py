"""`punie data check`: what is wrong with rows, each finding with file, line and kind. Nothing is changed.

    format       a line that is a row in no form           length       more tokens than the phase allows
    field        a field that no row has                   mask         nothing that the model wrote
    order        a turn that is out of order, unfinished   policy       a program that the sandbox refuses
    duplicate    a question that came before               preamble     text beside a program
    leak         a question, a family on two sides         markup       a program in an answer
    suite        a question of a suite, or near to one     placeholder  a name or an output that stands for one
    output       a program whose output is another today   secret, home-path

This module looks; `rows/rerun.py` runs the programs. Rows pass through one at a time; a table keeps 16 bytes for each
question and each family.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from punie_cli.agent.messages import Message
from punie_cli.agent.prompt import Renderer
from punie_cli.rows.build import SIDES, held_out
from punie_cli.rows.files import side_of
from punie_cli.rows.formats import UNRENDERED, Broken, Entry, scan
from punie_cli.rows.merge import question_key
from punie_cli.rows.near import HeldOut
from punie_cli.rows.row import Row
from punie_cli.rows.seen import Seen, fingerprint
from punie_cli.rows.traces import numbered_name, secrets, stands_for_output
from punie_cli.sandbox.guards import PolicyError
from punie_cli.sandbox.policy import compile_program

_NO_MASK = "a text says not what the model wrote in it: nothing can be trained"
_INLINE = re.compile(r"</?code>\s*\S|\S[ \t]*</?code>|<tool_call>|<function=")
# Bits of a value in `Seen` that hold the line; the file stands above them.
_LINE_BITS = 40
_NOTED = 500


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with its place."""

    file: str
    line: int
    kind: str
    text: str


@dataclass(frozen=True)
class Limit:
    """How long a row may be, in tokens of a renderer."""

    renderer: Renderer
    tokens: int


@dataclass
class Looked:
    """What was looked at: rows, those with programs, lines that are none, system messages that reading leaves out."""

    rows: int = 0
    programs: int = 0
    broken: int = 0
    systems: int = 0
    findings: Counter[str] = field(default_factory=Counter)


def look(
    files: Sequence[Path],
    limit: Limit | None,
    looked: Looked,
    note: Callable[[int], None] = lambda rows: None,
) -> Iterator[Finding]:
    """Everything that can be found without running a program. `looked` counts along, `note` gets the rows so far.

    Without a limit tokens are not counted. Raises MissingError for a file that is not there.
    """
    across = _Across([str(path) for path in files])
    asked = HeldOut(held_out())
    for number, path in enumerate(files):
        for found in scan(path):
            if isinstance(found, Broken):
                looked.broken += 1
                problems = iter([(str(found.kind), found.text)])
            else:
                looked.rows += 1
                looked.programs += any(m.role == "program" for m in found.row.messages)
                if looked.rows % _NOTED == 0:
                    note(looked.rows)
                looked.systems += sum(note.kind == "system" for note in found.notes)
                problems = _problems(found, number, limit, across, asked)
            for kind, text in problems:
                looked.findings[kind] += 1
                yield Finding(found.file, found.line, kind, text)


def _problems(
    entry: Entry, number: int, limit: Limit | None, across: "_Across", asked: HeldOut
) -> Iterator[tuple[str, str]]:
    row = entry.row
    yield from ((note.kind, note.text) for note in entry.notes if note.kind != "system")
    if entry.form == "text":
        yield "mask", _NO_MASK
    else:
        yield from _order(row.messages)
        yield from _tokens(row, limit)
    yield from across.problems(entry, number)
    yield from _suites(row, asked)
    for message in row.messages:
        yield from _message(message)


def _order(messages: Sequence[Message]) -> Iterator[tuple[str, str]]:
    roles = [m.role for m in messages]
    if not roles:
        yield "order", "there are no messages"
        return
    if roles[0] != "user":
        yield "order", f"begins with {_a(roles[0])}, not with a question"
    for one, other in pairwise(roles):
        if one == "program" and other != "output":
            yield "order", "a program without its output"
        if other == "output" and one != "program":
            yield "order", "an output without its program"
        if one == "user" and other == "user":
            yield "order", "two questions without an answer between them"
        if one == "answer" and other != "user":
            yield "order", f"{_a(other)} follows an answer"
    if roles[-1] != "answer":
        yield "order", f"ends with {_a(roles[-1])}, not with an answer"


def _a(role: str) -> str:
    return {"user": "a question", "program": "a program", "output": "an output", "answer": "an answer"}[role]


def _tokens(row: Row, limit: Limit | None) -> Iterator[tuple[str, str]]:
    if not any(m.from_model and m.text.strip() for m in row.messages):
        yield "mask", "nothing in it was written by the model: nothing can be trained"
        return
    if limit is None:
        return
    try:
        tokens, mask = limit.renderer.row(row.messages, tail=row.tail)
    except UNRENDERED as problem:
        yield "mask", str(problem)
        return
    if len(tokens) > limit.tokens:
        yield "length", f"{len(tokens)} tokens; {limit.tokens} are allowed"
    if not any(mask):
        yield "mask", "no token of it is trained"


def _suites(row: Row, asked: HeldOut) -> Iterator[tuple[str, str]]:
    for question in row.questions:
        if near := asked.nearest(question):
            prompt, index = near
            how = "is what a suite asks" if index == 1.0 else f"is near to what a suite asks ({index:.2f})"
            yield "suite", f"{question!r} {how}" + ("" if index == 1.0 else f": {prompt!r}")


def _message(message: Message) -> Iterator[tuple[str, str]]:
    text = message.text
    if message.role == "program":
        try:
            compile_program(text)
        except (PolicyError, SyntaxError) as problem:
            yield "policy", f"{type(problem).__name__}: {problem}"
    if message.role == "answer" and _INLINE.search(text):
        yield "markup", "an answer with the tags of a program; tags stand alone on their lines"
    if message.role in ("user", "program") and (name := numbered_name(text)):
        yield "placeholder", f"{name!r} is a name that stands for a real one"
    if message.role == "output" and message.error is None and stands_for_output(text):
        yield "placeholder", f"{text.strip()!r} stands for a real output"
    yield from secrets(text)


class _Across:
    """What rows have in common with rows before them: questions, and families on another side."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._sides = [side_of(file) for file in files]
        self._questions, self._families = Seen(), Seen()

    def problems(self, entry: Entry, number: int) -> Iterator[tuple[str, str]]:
        place = number << _LINE_BITS | entry.line
        before = self._questions.add(question_key(entry.row), place)
        if before is not None:
            kind = "leak" if self._other_side(before, number) else "duplicate"
            yield kind, f"asks what {self._place(before)} asks"
        own = self._sides[number]
        for family in filter(None, entry.row.family.split("+") if own else ()):
            self._families.add(fingerprint(f"{own}\n{family}"), place)
            for side in SIDES:
                first = None if side == own else self._families.get(fingerprint(f"{side}\n{family}"))
                if first is not None:
                    yield "leak", f"is of the family {family!r}, as is {self._place(first)}"
                    break

    def _other_side(self, before: int, number: int) -> bool:
        one, other = self._sides[before >> _LINE_BITS], self._sides[number]
        return bool(one and other and one != other)

    def _place(self, value: int) -> str:
        return f"{self._files[value >> _LINE_BITS]}:{value & ((1 << _LINE_BITS) - 1)}"
