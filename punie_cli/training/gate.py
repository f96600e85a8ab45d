"""Whether a result is good enough to be put in use: by the gate of its phase, and against what is in use.

Pure functions over evaluations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from punie_cli.evaluation.compare import Difference, compare
from punie_cli.evaluation.results import EvalRun
from punie_cli.training.phase import Eval


@dataclass(frozen=True)
class Gate:
    """An evaluation by the gate of a phase. `groups` are passed cases and cases of each group that has a count."""

    suite: str
    run: str
    passed: int
    n: int
    least: float
    groups: dict[str, tuple[int, int]]
    missed: tuple[str, ...]

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.passed / self.n if self.n else 0.0

    def as_record(self) -> dict[str, Any]:
        """For the record of what is in use."""
        return {
            "suite": self.suite,
            "evaluation": self.run,
            "passed": self.passed,
            "n": self.n,
            "share": round(self.share, 4),
            "least": self.least,
            "groups": {group: list(counts) for group, counts in self.groups.items()},
        }


@dataclass(frozen=True)
class Against:
    """An evaluation compared with that of what is in use; `lost` are cases that only the latter passes."""

    suite: str
    run: str
    used_run: str
    used: str
    difference: Difference
    lost: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """By more than chance would do."""
        return self.difference.high < 0

    @property
    def missed(self) -> tuple[str, ...]:
        """What was missed, in one line; empty if it is not worse."""
        if not self.worse:
            return ()
        found = self.difference
        interval = f"95 % interval {found.low * 100:+.0f} to {found.high * 100:+.0f}"
        return (
            f"worse than {self.used} on {self.suite} beyond chance: {found.b:.0%} after {found.a:.0%} of {found.n} "
            f"cases ({interval} points)",
        )

    def as_record(self) -> dict[str, Any]:
        """For the record of what is in use."""
        found = self.difference
        return {
            "suite": self.suite,
            "evaluation": self.run,
            "with": self.used_run,
            "used": self.used,
            "n": found.n,
            "difference": round(found.value, 4),
            "interval": [round(found.low, 4), round(found.high, 4)],
            "p": round(found.p, 4),
            "verdict": found.verdict,
            "lost": list(self.lost),
        }


def judge(recipe: Eval, suite: str, run: EvalRun) -> Gate:
    """The share and the counts per group that a phase asks for, in a finished run with one sample of each case."""
    cases = [case for case in run.cases if case.suite == suite]
    counts = {
        group: (sum(case.passed for case in cases if case.group == group), sum(case.group == group for case in cases))
        for group in recipe.groups
    }
    passed, n = sum(case.passed for case in cases), len(cases)
    missed = below(passed, n, recipe.gate, f"cases of {suite}")
    return Gate(suite, run.id, passed, n, recipe.gate, counts, (*missed, *short(recipe.groups, counts)))


def below(passed: int, n: int, least: float, what: str) -> tuple[str, ...]:
    """What is missing to this share, in one line; empty if it is reached. `what` are the things that passed."""
    if n and passed / n >= least:
        return ()
    wanted = next((k for k in range(n + 1) if n and k / n >= least), n)
    return (f"{passed} of {n} {what}, {wanted} are asked for ({least:.0%})",)


def short(least: Mapping[str, int], groups: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """Groups of which fewer cases passed than are asked for; `groups` has passed cases and cases."""
    counts = {group: groups.get(group, (0, 0)) for group in least}
    return tuple(
        f"{group} {counts[group][0]} of {counts[group][1]}, {wanted} are asked for"
        for group, wanted in least.items()
        if counts[group][0] < wanted
    )


def against(suite: str, used: str, used_run: EvalRun, run: EvalRun) -> Against:
    """Compare with what is in use, by its name now, paired by the cases of one suite.

    Raises UsageError where they share no case.
    """
    found = compare(on_suite(used_run, suite), on_suite(run, suite))
    return Against(suite, run.id, used_run.id, used, found.difference, tuple(change.case for change in found.lost))


def on_suite(run: EvalRun, suite: str) -> EvalRun:
    """The part of a run that is of one suite."""
    return run.model_copy(
        update={
            "suites": (suite,),
            "suite_hashes": {name: value for name, value in run.suite_hashes.items() if name == suite},
            "cases": tuple(case for case in run.cases if case.suite == suite),
        }
    )
