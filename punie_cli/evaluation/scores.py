"""What an evaluation came to: shares with intervals by part, suite and group, samples, cost. Pure functions.

scores(results.resolve("last")).whole.share
"""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from punie_cli.evaluation.results import CaseRun, EvalRun
from punie_cli.evaluation.score import interval

T = TypeVar("T")
Key = tuple[str, str]
"""A suite, and a case or a group in it."""

PARTS = ("whole", "calls", "files", "answer")


@dataclass(frozen=True)
class Tally:
    """`passed` of `n` tries, over `cases` cases: with several samples a case is tried more than once."""

    passed: int
    n: int
    cases: int

    @property
    def share(self) -> float:
        """0 to 1; 0 without tries."""
        return self.passed / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval (Wilson) for other cases of this kind.

        The samples of a case say little about other cases: n is the number of cases, so that more samples never make
        the interval narrower than one would.
        """
        return interval(self.share * self.cases, self.cases)


@dataclass(frozen=True)
class Spread:
    """One number for each try."""

    median: float
    mean: float


@dataclass(frozen=True)
class Scores:
    """All scores of a run. `suites` and `groups` keep the order of the run; `fields` is None if no case asks for any.

    `pass_k[k - 1]` is the share of cases whose next k samples would all pass; the first is pass@1.
    """

    whole: Tally
    calls: Tally
    files: Tally
    answer: Tally
    fields: Tally | None
    suites: dict[str, Tally]
    groups: dict[Key, Tally]
    pass_k: tuple[float, ...]
    steps: Spread
    tokens: Spread
    seconds: Spread

    @property
    def parts(self) -> dict[str, Tally]:
        """The case as a whole and its parts, by name; `fields` only where asked for."""
        found = {name: getattr(self, name) for name in PARTS}
        return found | ({"fields": self.fields} if self.fields else {})


def scores(run: EvalRun) -> Scores:
    """The scores of the cases that a run has so far."""
    asked = [case for case in run.cases if case.fields_asked]
    return Scores(
        whole=tally(run.cases),
        calls=tally(run.cases, lambda case: case.calls.ok),
        files=tally(run.cases, lambda case: case.files.ok),
        answer=tally(run.cases, lambda case: case.answer.ok),
        fields=tally(asked, lambda case: bool(case.fields)) if asked else None,
        suites={name: tally(cases) for name, cases in _by(run.cases, lambda case: case.suite).items()},
        groups={
            name: tally(cases)
            for name, cases in _by(run.cases, lambda case: (case.suite, case.group)).items()
            if name[1]
        },
        pass_k=pass_k(run.cases),
        steps=_spread(case.steps for case in run.cases),
        tokens=_spread(case.completion_tokens for case in run.cases),
        seconds=_spread(case.seconds for case in run.cases),
    )


def tally(cases: Sequence[CaseRun], passed: Callable[[CaseRun], bool] = lambda case: case.passed) -> Tally:
    """How many of these tries passed."""
    return Tally(sum(map(passed, cases)), len(cases), len({(case.suite, case.case) for case in cases}))


def by_case(cases: Iterable[CaseRun]) -> dict[Key, list[CaseRun]]:
    """The samples of each case, in the order of the run."""
    return _by(cases, lambda case: (case.suite, case.case))


def pass_k(cases: Iterable[CaseRun]) -> tuple[float, ...]:
    """For k = 1 to the number of samples: the share of cases of which k samples all pass.

    The unbiased estimate of the tau-bench paper (Yao et al. 2024, arXiv:2406.12045): the mean over the cases of
    C(c, k) / C(n, k), with c of n samples passed. It ends where a case has no more samples.
    """
    tries = [(len(samples), sum(case.passed for case in samples)) for samples in by_case(cases).values()]
    if not tries:
        return ()
    return tuple(
        statistics.fmean(math.comb(passed, k) / math.comb(n, k) for n, passed in tries)
        for k in range(1, min(n for n, _ in tries) + 1)
    )


def _by(cases: Iterable[CaseRun], key: Callable[[CaseRun], T]) -> dict[T, list[CaseRun]]:
    found: dict[T, list[CaseRun]] = {}
    for case in cases:
        found.setdefault(key(case), []).append(case)
    return found


def _spread(values: Iterable[float]) -> Spread:
    found = list(values)
    return Spread(statistics.median(found), statistics.fmean(found)) if found else Spread(0.0, 0.0)
