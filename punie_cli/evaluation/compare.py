"""Two evaluations case by case: the difference of their shares with its interval, and the cases that changed.

    compare(results.resolve("23"), results.resolve("24")).difference

What is compared does not matter: models, adapters, phases, bits, settings. Only cases that both ran from a suite of the
same hash count.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from punie_cli.errors import UsageError
from punie_cli.evaluation.results import CaseRun, EvalRun
from punie_cli.evaluation.score import interval
from punie_cli.evaluation.scores import PARTS, Key, by_case


@dataclass(frozen=True)
class Difference:
    """The share of B minus that of A over `n` cases, its 95 % interval, and `p`, the chance of so much by chance."""

    n: int
    a: float
    b: float
    low: float
    high: float
    p: float

    @property
    def value(self) -> float:
        return self.b - self.a

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the interval leaves out 0, else `no difference seen`."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "no difference seen"


@dataclass(frozen=True)
class Change:
    """A case whose share differs; the reasons are those of its first sample that failed, empty if none did."""

    suite: str
    case: str
    group: str
    a: float
    b: float
    a_reason: str
    b_reason: str


@dataclass(frozen=True)
class LeftOut:
    """A case that is not compared, and why."""

    suite: str
    case: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """B against A. `parts` has the whole first, then calls, files and answer."""

    a: EvalRun
    b: EvalRun
    parts: dict[str, Difference]
    suites: dict[str, Difference]
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def difference(self) -> Difference:
        """That of the cases as a whole."""
        return self.parts["whole"]


def compare(a: EvalRun, b: EvalRun) -> Comparison:
    """B against A, paired by case. Raises UsageError if there is no case that both ran."""
    ours, theirs = by_case(a.cases), by_case(b.cases)
    left_out = tuple(_left_out(a, b, ours, theirs))
    out = {(each.suite, each.case) for each in left_out}
    keys = [key for key in ours if key in theirs and key not in out]
    if not keys:
        why = f": {left_out[0].reason}" if left_out else ""
        raise UsageError(f"{a.id} and {b.id} have no case in common{why}", "punie eval list")
    suites = dict.fromkeys(suite for suite, _ in keys)
    changed = [change for key in keys if (change := _change(ours[key], theirs[key]))]
    return Comparison(
        a,
        b,
        {part: _difference(keys, ours, theirs, part) for part in PARTS},
        {suite: _difference([key for key in keys if key[0] == suite], ours, theirs, "whole") for suite in suites},
        tuple(change for change in changed if change.b > change.a),
        tuple(change for change in changed if change.b < change.a),
        left_out,
    )


def comparable(runs: Sequence[EvalRun]) -> list[EvalRun]:
    """The first of the runs, and the others that have a case in common with it."""
    found = list(runs[:1])
    for run in runs[1:]:
        try:
            compare(runs[0], run)
        except UsageError:
            continue
        found.append(run)
    return found


def paired_interval(both: float, only_b: float, only_a: float, neither: float) -> tuple[float, float]:
    """95 % interval of the share of B minus that of A, from the numbers of cases that passed in both, in one, in none.

    Method 10 of Newcombe, R. G. (1998), Improved confidence intervals for the difference between binomial proportions
    based on paired data, Statistics in Medicine 17, 2635-2650: the Wilson intervals of both shares, joined with their
    correlation (phi), which is corrected for continuity. It has a width also where no case differs.
    """
    n = both + only_b + only_a + neither
    b, a = (both + only_b) / n, (both + only_a) / n
    (b_low, b_high), (a_low, a_high) = interval(both + only_b, round(n)), interval(both + only_a, round(n))
    margins = (both + only_b) * (only_a + neither) * (both + only_a) * (only_b + neither)
    product = both * neither - only_b * only_a
    if product > 0:
        product = max(product - n / 2, 0.0)
    phi = product / math.sqrt(margins) if margins > 0 else 0.0
    down, up = (b - b_low, a_high - a), (b_high - b, a - a_low)
    below, above = (math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y)) for x, y in (down, up))
    return max(-1.0, b - a - below), min(1.0, b - a + above)


def sign_test(more: int, fewer: int) -> float:
    """Exact two-sided p for the numbers of cases with more and with fewer passes; McNemar's for one sample each."""
    n = more + fewer
    tail = sum(math.comb(n, k) for k in range(min(more, fewer) + 1)) / 2**n
    return min(1.0, 2 * tail)


def subject_differences(runs: Sequence[EvalRun]) -> dict[str, list[Any]]:
    """What the subjects and settings of these runs do not share, by name."""
    told = [
        run.subject.model_dump(exclude={"path", "adapter_path"})
        | {"samples": run.samples, "temperature": run.temperature}
        | {f"limit {name}": value for name, value in run.limits.items()}
        | {f"suite {name}": value for name, value in run.suite_hashes.items()}
        | {f"version {name}": value for name, value in run.versions.items()}
        for run in runs
    ]
    names = dict.fromkeys(name for each in told for name in each)
    found = {name: [each.get(name) for each in told] for name in names}
    return {name: values for name, values in found.items() if any(value != values[0] for value in values)}


def _difference(
    keys: Iterable[Key], ours: dict[Key, list[CaseRun]], theirs: dict[Key, list[CaseRun]], part: str
) -> Difference:
    """The difference over the cases of `keys`, each counted once.

    With several samples the four numbers are those that one sample of each would come to on average: an interval that
    is rather too wide than too narrow.
    """
    pairs = [(_share(ours[key], part), _share(theirs[key], part)) for key in keys]
    n = len(pairs)
    both, only_b = sum(a * b for a, b in pairs), sum((1 - a) * b for a, b in pairs)
    only_a = sum(a * (1 - b) for a, b in pairs)
    low, high = paired_interval(both, only_b, only_a, max(0.0, n - both - only_b - only_a))
    p = sign_test(sum(b > a for a, b in pairs), sum(b < a for a, b in pairs))
    return Difference(n, sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n, low, high, p)


def _share(samples: Sequence[CaseRun], part: str = "whole") -> float:
    passed = (case.passed if part == "whole" else getattr(case, part).ok for case in samples)
    return sum(passed) / len(samples)


def _change(ours: Sequence[CaseRun], theirs: Sequence[CaseRun]) -> Change | None:
    a, b = _share(ours), _share(theirs)
    if a == b:
        return None
    first = ours[0]
    return Change(first.suite, first.case, first.group, a, b, _reason(ours), _reason(theirs))


def _reason(samples: Sequence[CaseRun]) -> str:
    return next((case.reason for case in samples if not case.passed), "")


def _left_out(a: EvalRun, b: EvalRun, ours: Iterable[Key], theirs: Iterable[Key]) -> Iterable[LeftOut]:
    for suite, case in dict.fromkeys([*ours, *theirs]):
        if suite not in a.suite_hashes or suite not in b.suite_hashes:
            runs = [run.id for run in (a, b) if suite in run.suite_hashes]
            yield LeftOut(suite, case, f"{suite} was run in {runs[0]} only")
        elif a.suite_hashes[suite] != b.suite_hashes[suite]:
            yield LeftOut(suite, case, f"{suite} has changed between {a.id} and {b.id}")
        elif (suite, case) not in ours or (suite, case) not in theirs:
            yield LeftOut(suite, case, f"only {a.id if (suite, case) in ours else b.id} ran it")
