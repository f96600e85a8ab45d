"""Runs the cases of a suite, one after the other.

result = await run_suite(load("foundation"), make_agent)
"""

from collections.abc import Callable
from dataclasses import dataclass

from punie_cli.evaluation.case import AgentFactory, CaseOutcome, run_case, snapshot
from punie_cli.evaluation.score import interval
from punie_cli.evaluation.suites import Suite

__all__ = ["AgentFactory", "CaseResult", "SuiteResult", "run_case", "run_suite", "snapshot"]

CaseResult = CaseOutcome


@dataclass(frozen=True)
class SuiteResult:
    """All cases of a suite, in its order."""

    suite: Suite
    cases: tuple[CaseResult, ...]

    @property
    def passed(self) -> int:
        return sum(result.score.passed for result in self.cases)

    @property
    def share(self) -> float:
        """Share of cases that passed, 0 to 1; what a gate is compared with."""
        return self.passed / len(self.cases)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share: with few cases it is wide."""
        return interval(self.passed, len(self.cases))


async def run_suite(
    suite: Suite, make_agent: AgentFactory, note: Callable[[CaseResult], None] = lambda result: None
) -> SuiteResult:
    """Run every case; `note` gets each result as it comes."""
    results = []
    for case in suite.case:
        results.append(await run_case(case, make_agent))
        note(results[-1])
    return SuiteResult(suite, tuple(results))
