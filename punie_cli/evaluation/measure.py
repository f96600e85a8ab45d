"""Measures a model by a suite and by held-back rows, in this process, by its path; keeps every reply.

result = asyncio.run(measure(settings, load("foundation"), rows))
"""

import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punie_cli.agent.loop import Agent
from punie_cli.agent.open import Connect, choose, connect_mlx, open_agent
from punie_cli.evaluation.probe import ProbeResult, Verdict, probe
from punie_cli.evaluation.run import CaseResult, SuiteResult, run_suite
from punie_cli.evaluation.score import Score
from punie_cli.evaluation.suites import Suite
from punie_cli.models.files import weight_hash
from punie_cli.rows.row import Row
from punie_cli.settings import Settings
from punie_cli.workspace import Workspace


@dataclass(frozen=True)
class Tried:
    """One case or row that was tried, `done` of `of`."""

    name: str
    passed: bool
    reason: str
    done: int
    of: int


@dataclass(frozen=True)
class Measured:
    """What a model came to. The share is that of the suite's cases; without a suite, of the rows."""

    model: str
    path: Path
    weights: str
    adapter: Path | None
    prompt_hash: str | None
    suite: SuiteResult | None
    probe: ProbeResult | None
    seconds: float

    @property
    def main(self) -> SuiteResult | ProbeResult:
        result = self.suite or self.probe
        assert result is not None
        return result

    @property
    def n(self) -> int:
        return len(self.suite.cases) if self.suite else self.probe.n if self.probe else 0

    @property
    def passed(self) -> int:
        return self.main.passed

    @property
    def share(self) -> float:
        """0 to 1; what a gate is compared with."""
        return self.main.share

    def as_record(self) -> dict[str, Any]:
        """As one JSON object, without the records of the turns."""
        tried: dict[str, Any] = {}
        if self.suite:
            tried["suite"] = {"name": self.suite.suite.name, **_share(self.suite, len(self.suite.cases))}
            tried["cases"] = [
                {"name": case.case.name, **_score(case.score), "answer": case.answer, "seconds": round(case.seconds, 2)}
                for case in self.suite.cases
            ]
        if self.probe:
            tried["probe"] = _share(self.probe, self.probe.n)
            tried["rows"] = [
                {"row": v.row, "source": v.source, "intent": v.intent, **_score(v.score)} for v in self.probe.verdicts
            ]
            tried["left_out"] = [dataclasses.asdict(row) for row in self.probe.left_out]
        return {
            "model": self.model,
            "path": str(self.path),
            "weights": self.weights,
            "adapter": str(self.adapter) if self.adapter else None,
            "prompt_hash": self.prompt_hash,
            "seconds": round(self.seconds, 1),
            **tried,
        }

    def records(self) -> str:
        """The records of all turns as JSON lines, each with its case or row."""
        lines = [{"case": c.case.name} | r for c in (self.suite.cases if self.suite else ()) for r in c.records]
        lines += [{"row": v.row} | r for v in (self.probe.verdicts if self.probe else ()) for r in v.records]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


async def measure(
    settings: Settings,
    suite: Suite | None,
    rows: Sequence[Row] = (),
    note: Callable[[Tried], None] = lambda tried: None,
    connect: Connect = connect_mlx,
) -> Measured:
    """Run the suite, then play the rows. Raises MissingError for a model or an adapter that cannot be used."""
    start = time.monotonic()
    choice = choose(settings)
    total = (len(suite.case) if suite else 0) + len(rows)
    done = 0

    def tell(name: str, passed: bool, reason: str) -> None:
        nonlocal done
        done += 1
        note(Tried(name, passed, reason, done, total))

    def case(result: CaseResult) -> None:
        tell(result.case.name, result.score.passed, result.score.reason)

    def row(verdict: Verdict) -> None:
        tell(verdict.intent, verdict.passed, verdict.reason)

    with tempfile.TemporaryDirectory(prefix="punie-eval-") as empty:
        async with open_agent(settings, Workspace(Path(empty)), connect) as (agent, started):

            def make_agent(workspace: Workspace) -> Agent:
                return dataclasses.replace(agent, workspace=workspace, messages=[])

            cases = await run_suite(suite, make_agent, case) if suite else None
            played = await probe(agent.engine, agent.renderer, rows, note=row) if rows else None
    return Measured(
        choice.name,
        choice.model,
        weight_hash(choice.model),
        choice.adapter,
        started.prompt_hash,
        cases,
        played,
        time.monotonic() - start,
    )


def _share(result: SuiteResult | ProbeResult, n: int) -> dict[str, Any]:
    low, high = result.interval
    return {
        "passed": result.passed, "n": n, "share": round(result.share, 4), "interval": [round(low, 4), round(high, 4)],
    }  # fmt: skip


def _score(score: Score) -> dict[str, Any]:
    parts = {name: getattr(score, name).ok for name in ("calls", "files", "answer")}
    return {"passed": score.passed, **parts, "reason": score.reason}
