"""Runs cases: each in a fresh copy of its fixture, with a fresh conversation.

result = await run_suite(load("foundation"), make_agent)
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from punie_cli.agent.events import Event, Failed, Started, record
from punie_cli.agent.loop import Agent
from punie_cli.approvals import no_terminal
from punie_cli.errors import PunieError
from punie_cli.evaluation.score import Record, Score, interval, score
from punie_cli.evaluation.suites import Case, Suite
from punie_cli.workspace import Workspace

# A new conversation over this workspace. Engine and sandbox may be shared: they outlive the agent.
AgentFactory = Callable[[Workspace], Agent]


@dataclass(frozen=True)
class CaseResult:
    """One case: its score, all records of the turn, and the time it took in seconds."""

    case: Case
    score: Score
    records: tuple[Record, ...]
    seconds: float

    @property
    def answer(self) -> str:
        """The text of the answer; empty if there was none."""
        return next((r["text"] for r in reversed(self.records) if r["type"] == "answer"), "")


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
    """Run every case, one after the other; `note` gets each result as it comes."""
    results = []
    for case in suite.case:
        results.append(await run_case(case, case.fixture_folder, make_agent))
        note(results[-1])
    return SuiteResult(suite, tuple(results))


async def run_case(case: Case, fixture: Path, make_agent: AgentFactory) -> CaseResult:
    """Run one case in a copy of `fixture` and score it. A PunieError is a failed case, not an exception."""
    with tempfile.TemporaryDirectory(prefix="punie-eval-") as scratch:
        root = Path(scratch) / fixture.name
        shutil.copytree(fixture, root, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        before = snapshot(root)
        agent = make_agent(Workspace(root, no_terminal(frozenset(case.allow))))
        # Not the path of the scratch folder: it would make two runs of a case differ.
        engine = agent.engine
        events: list[Event] = [Started(engine.name, engine.adapter, agent.renderer.core.hash, root=fixture.name)]
        start = time.monotonic()
        try:
            for prompt in case.prompts:
                async for event in agent.turn(prompt):
                    events.append(event)
        except PunieError as error:
            events.append(Failed(int(error.exit_code), error.message, error.hint))
        seconds = time.monotonic() - start
        records = tuple(line for event in events if (line := record(event)))
        return CaseResult(case, score(case.expect, records, before, snapshot(root)), records, seconds)


def snapshot(root: Path) -> dict[str, str]:
    """The text of every file below `root` by relative path; a link is shown as where it points."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_bytes().decode("utf-8", errors="surrogateescape")
    return found
