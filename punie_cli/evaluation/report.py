"""Evaluations as one HTML page that needs nothing else: scores, comparison, every case with all that happened in it.

    report.write_page([results.resolve("last")], Path("report.html"))

All that a model wrote is escaped. The page's policy (CSP) allows its own script, by hash, and nothing from a network.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie_cli.approvals import visible
from punie_cli.evaluation.compare import Comparison, comparable, compare, subject_differences
from punie_cli.evaluation.results import CaseRun, EvalRun
from punie_cli.evaluation.scores import Key, Scores, Tally, by_case, scores
from punie_cli.evaluation.transcript import Piece, cut, pieces

if TYPE_CHECKING:
    from markupsafe import Markup

_FOLDER = Path(__file__).parent
_TEMPLATE, _SCRIPT = _FOLDER / "report.html.j2", _FOLDER / "report.js"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIFF_CHARS = 20_000
# Digits of a hash that tell it from others.
_HASH = 16
# What the lexer names → the class in the style sheet; all else has the colour of text.
_COLOURS = (("Keyword", "k"), ("Operator.Word", "k"), ("Literal.String", "s"), ("Literal.Number", "m"),
            ("Comment", "c"), ("Name.Function", "f"), ("Name.Class", "f"), ("Name.Builtin", "f"))  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """A share as a bar with its interval, in per cent of the drawing's width; `run` is the run's place."""

    run: int
    letter: str
    count: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class BarTable:
    """Shares by name, a bar for each run that has them."""

    title: str
    rows: tuple[tuple[str, tuple[Bar, ...]], ...]


@dataclass(frozen=True)
class Card:
    """A run at the head of the page."""

    run: EvalRun
    letter: str
    scores: Scores
    state: str
    facts: tuple[tuple[str, Any], ...]
    more: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Try:
    """One sample of a case in one run."""

    run: int
    letter: str
    case: CaseRun
    pieces: tuple[Piece, ...]
    diff: tuple[tuple[str, str], ...]

    @property
    def parts(self) -> list[tuple[str, bool, str]]:
        """Name, verdict and reason of each part, and of the fields where they were asked for."""
        found = [(name, getattr(self.case, name)) for name in ("calls", "files", "answer")]
        parts = [(name, part.ok, part.reason) for name, part in found]
        return parts + ([("fields", bool(self.case.fields), "")] if self.case.fields_asked else [])


@dataclass(frozen=True)
class Entry:
    """A case with its tries in all runs. `marks` has letter, place, passed and tries of each run that has it."""

    anchor: str
    suite: str
    name: str
    group: str
    prompts: tuple[str, ...]
    tries: tuple[Try, ...]
    marks: tuple[tuple[str, int, int, int], ...]

    @property
    def state(self) -> str:
        """`passed` or `failed`: one failed try is a failure."""
        return "passed" if all(each.case.passed for each in self.tries) else "failed"

    @property
    def differs(self) -> bool:
        """Whether the runs came to different shares."""
        return len({passed / n for _, _, passed, n in self.marks}) > 1

    @property
    def reason(self) -> str:
        """That of the first try that failed."""
        return next((each.case.reason for each in self.tries if not each.case.passed), "")


def write_page(runs: Sequence[EvalRun], path: Path) -> Path:
    """Write the page of these runs, the first being what the others are compared with."""
    part = path.with_name(f".{path.name}.part")
    # A record may hold a lone surrogate, which no file can.
    part.write_text(page(runs), encoding="utf-8", errors="backslashreplace")
    part.replace(path)
    return path


def page(runs: Sequence[EvalRun]) -> str:
    """The page as HTML. Runs that have no case in common with the first are shown, and not compared."""
    from jinja2 import Environment
    from markupsafe import Markup

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"code": highlighted, "shown": visible, "points": points, "short": short}
    script = _SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    entries = list(_entries(runs))
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        cards=[_card(place, run) for place, run in enumerate(runs)],
        tables=[table for table in _tables(runs) if table.rows],
        comparisons=[(runs.index(run), compare(runs[0], run)) for run in comparable(runs)[1:]],
        differs=subject_differences(runs),
        entries=entries,
        anchors={(entry.suite, entry.name): entry.anchor for entry in entries},
        suites=list(dict.fromkeys(entry.suite for entry in entries)),
        letters=_LETTERS,
        reach=reach,
        script=Markup(script),
        digest=digest,
    )


def points(value: float) -> str:
    """A difference of shares: `+4.0`, with a real minus."""
    return f"{100 * value:+.1f}".replace("-", "−")


def short(value: Any) -> str:
    """A value on one line; of a hash its first digits."""
    text = "-" if value is None else str(value)
    return text[:_HASH] if len(text) == 64 and not set(text) - set("0123456789abcdef") else text


def reach(comparisons: Iterable[tuple[int, Comparison]]) -> float:
    """The greatest distance from 0 that a drawing of these differences must show, in steps of 0.1."""
    ends = [abs(end) for _, each in comparisons for end in (each.difference.low, each.difference.high)]
    return max(0.1, -(-max(ends, default=0.0) // 0.1) / 10)


@lru_cache(1024)
def highlighted(code: str) -> "Markup":
    """Python with a class for each kind of word."""
    from markupsafe import Markup, escape
    from pygments.lexers.python import PythonLexer

    found: list[tuple[str, str]] = []
    for token, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(code):
        name = str(token).removeprefix("Token.")
        kind = next((kind for start, kind in _COLOURS if name.startswith(start)), "")
        if found and (found[-1][0] == kind or text.isspace()):
            found[-1] = (found[-1][0], found[-1][1] + text)
        else:
            found.append((kind, text))
    return Markup("").join(
        Markup('<span class="{}">{}</span>').format(kind, text) if kind else escape(text) for kind, text in found
    )


def _card(place: int, run: EvalRun) -> Card:
    subject, found = run.subject, scores(run)
    facts = {
        "model": subject.model,
        "path": subject.path,
        "weights": short(subject.weights),
        "adapter": subject.adapter or "none",
        "adapter path": subject.adapter_path,
        "adapter hash": short(subject.adapter_hash) if subject.adapter_hash else None,
        "prompt hash": short(subject.prompt_hash) if subject.prompt_hash else None,
        "phase": subject.phase,
        "bits of a weight": None if subject.bits is None else f"{subject.bits:.2f}",
    }
    more = {
        "begun": f"{run.started[:19].replace('T', ' ')} UTC",
        "seconds": f"{run.seconds:.0f}",
        "samples": f"{run.samples}, at temperature {run.temperature:g}",
        "at once": run.batch,
        "only": ", ".join(run.only),
        "sealed": ", ".join(run.sealed),
        "weights": subject.weights,
        "adapter hash": subject.adapter_hash,
        "prompt hash": subject.prompt_hash,
        **{f"suite {name}": value for name, value in run.suite_hashes.items()},
        **{f"limit {name.replace('_', ' ')}": value for name, value in run.limits.items()},
        **run.versions,
    }
    done, of = len(run.cases), run.of or len(run.cases)
    state = "" if run.finished else f"unfinished: {done} of {of} tries"
    return Card(run, _LETTERS[place % 26], found, state, _told(facts), _told(more))


def _told(facts: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, value) for name, value in facts.items() if value not in (None, ""))


def _tables(runs: Sequence[EvalRun]) -> Iterator[BarTable]:
    found = [scores(run) for run in runs]
    yield _table("Parts", [each.parts for each in found])
    if any(len(each.pass_k) > 1 for each in found):
        yield _table("All of k samples pass", [_pass_k(each) for each in found])
    suites = [each.suites for each in found]
    if len({name for each in suites for name in each}) > 1:
        yield _table("Suites", suites)
    yield _table("Groups", [_groups(each) for each in found])


def _pass_k(found: Scores) -> dict[str, Tally]:
    cases = found.whole.cases
    # The interval is that of a share of so many cases; the count would not be a whole number.
    return {f"pass^{k}": _Share(0, 0, cases, share) for k, share in enumerate(found.pass_k, start=1)}


@dataclass(frozen=True)
class _Share(Tally):
    given: float

    @property
    def share(self) -> float:
        return self.given


def _groups(found: Scores) -> dict[str, Tally]:
    many = len(found.suites) > 1
    return {f"{suite}: {group}" if many else group: each for (suite, group), each in found.groups.items()}


def _table(title: str, columns: Sequence[dict[str, Tally]]) -> BarTable:
    names = dict.fromkeys(name for column in columns for name in column)
    rows = []
    for name in names:
        bars = [_bar(run, column[name]) for run, column in enumerate(columns) if name in column and column[name].cases]
        rows += [(name, tuple(bars))] if bars else []
    return BarTable(title, tuple(rows))


def _bar(run: int, each: Tally) -> Bar:
    low, high = each.interval
    count = f"{each.passed} of {each.n}" if each.n else ""
    return Bar(run, _LETTERS[run % 26], count, *(round(100 * value, 3) for value in (each.share, low, high)))


def _entries(runs: Sequence[EvalRun]) -> Iterator[Entry]:
    found = [by_case(run.cases) for run in runs]
    keys: dict[Key, None] = dict.fromkeys(key for cases in found for key in cases)
    for number, (suite, name) in enumerate(keys):
        tries = tuple(
            Try(place, _LETTERS[place % 26], case, tuple(_pieces(case)), tuple(diff_lines(case.diff)))
            for place, cases in enumerate(found)
            for case in cases.get((suite, name), ())
        )
        marks = tuple(
            (_LETTERS[place % 26], place, sum(case.passed for case in cases[suite, name]), len(cases[suite, name]))
            for place, cases in enumerate(found)
            if (suite, name) in cases
        )
        first = tries[0].case
        yield Entry(f"case-{number}", suite, name, first.group, first.prompts, tries, marks)


def _pieces(case: CaseRun) -> Iterator[Piece]:
    for piece in pieces(case):
        # What a call returned explains a failure; of cases that passed nobody asks, and the page stays small.
        yield Piece(piece.kind, piece.text, piece.note, piece.ok, piece.more if not case.passed else "")


def diff_lines(diff: str) -> Iterator[tuple[str, str]]:
    """Each line of a unified diff with its class: head, hunk, added, removed or none."""
    for line in cut(diff, _DIFF_CHARS).splitlines():
        kinds = (("+++", "head"), ("---", "head"), ("@@", "hunk"), ("+", "added"), ("-", "removed"))
        yield next((kind for start, kind in kinds if line.startswith(start)), ""), line
