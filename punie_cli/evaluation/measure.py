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

from punie_cli.agent.open import Connect, connect_mlx, open_agent
from punie_cli.evaluation import results
from punie_cli.evaluation.evaluate import Begun, Ended, earlier, run_plan
from punie_cli.evaluation.plan import Plan
from punie_cli.evaluation.probe import ProbeResult, Verdict, probe
from punie_cli.evaluation.results import EvalRun, Subject
from punie_cli.evaluation.score import Score
from punie_cli.evaluation.scores import scores
from punie_cli.evaluation.subject import subject_of
from punie_cli.evaluation.suites import Suite
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
    """What a model came to. The share is that of the suite's cases; without a suite, of the rows.

    `suite` is kept in the store as well, where `punie eval show` finds it.
    """

    subject: Subject
    suite: EvalRun | None
    probe: ProbeResult | None
    seconds: float

    @property
    def model(self) -> str:
        return self.subject.model

    @property
    def n(self) -> int:
        return len(self.suite.cases) if self.suite else self.probe.n if self.probe else 0

    @property
    def passed(self) -> int:
        return self.suite.passed if self.suite else self.probe.passed if self.probe else 0

    @property
    def share(self) -> float:
        """0 to 1; what a gate is compared with."""
        return self.passed / self.n if self.n else 0.0

    def as_record(self) -> dict[str, Any]:
        """As one JSON object, without the records of the turns."""
        tried: dict[str, Any] = {}
        if self.suite:
            whole = scores(self.suite).whole
            share = _share(whole.passed, whole.n, whole.share, whole.interval)
            tried["suite"] = {"name": ", ".join(self.suite.suites), **share}
            tried["evaluation"] = self.suite.id
            tried["cases"] = [
                {
                    "name": case.case,
                    "passed": case.passed,
                    "calls": case.calls.ok,
                    "files": case.files.ok,
                    "reason": case.reason,
                    "answer": case.text,
                    "seconds": round(case.seconds, 2),
                }
                for case in self.suite.cases
            ]
        if self.probe:
            tried["probe"] = _share(self.probe.passed, self.probe.n, self.probe.share, self.probe.interval)
            tried["rows"] = [
                {"row": v.row, "source": v.source, "intent": v.intent, **_score(v.score)} for v in self.probe.verdicts
            ]
            tried["left_out"] = [dataclasses.asdict(row) for row in self.probe.left_out]
        return {
            "model": self.subject.model,
            "path": self.subject.path,
            "weights": self.subject.weights,
            "adapter": self.subject.adapter_path,
            "prompt_hash": self.subject.prompt_hash,
            "seconds": round(self.seconds, 1),
            **tried,
        }

    def records(self) -> str:
        """The records of all turns as JSON lines, each with its case or row."""
        lines = [{"case": c.case} | r for c in (self.suite.cases if self.suite else ()) for r in c.records]
        lines += [{"row": v.row} | r for v in (self.probe.verdicts if self.probe else ()) for r in v.records]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


async def measure(
    settings: Settings,
    suite: Suite | None,
    rows: Sequence[Row] = (),
    note: Callable[[Tried], None] = lambda tried: None,
    connect: Connect = connect_mlx,
    batch: int = 1,
) -> Measured:
    """Run the suite, `batch` cases at once, as `punie eval` does, then play the rows.

    A suite that this model has been through is not run again; one that was stopped goes on. Raises MissingError for a
    model or an adapter that cannot be used.
    """
    start = time.monotonic()
    subject = subject_of(settings)
    plan = Plan((suite,), batch=batch) if suite else None
    total, done = (len(plan.tries) if plan else 0) + len(rows), 0

    def told(name: str, passed: bool, reason: str) -> None:
        nonlocal done
        done += 1
        note(Tried(name, passed, reason, done, total))

    def case(event: Begun | Ended) -> None:
        nonlocal done
        if isinstance(event, Begun):
            done = event.kept
        else:
            told(event.case.case, event.case.passed, event.case.reason)

    def row(verdict: Verdict) -> None:
        told(verdict.intent, verdict.passed, verdict.reason)

    played, found = None, earlier(settings, plan, subject) if plan else None
    if found is not None:
        found = results.load(found.id)
        subject, done = found.subject, len(found.cases)
    if rows or found is None:
        with tempfile.TemporaryDirectory(prefix="punie-eval-") as empty:
            async with open_agent(settings, Workspace(Path(empty)), connect) as (agent, started):
                if plan and found is None:
                    found = await run_plan(agent, settings, plan, subject, started.prompt_hash, note=case)
                subject = subject.model_copy(update={"prompt_hash": started.prompt_hash})
                played = await probe(agent.engine, agent.renderer, rows, note=row) if rows else None
    return Measured(subject, found, played, time.monotonic() - start)


def _share(passed: int, n: int, share: float, interval: tuple[float, float]) -> dict[str, Any]:
    low, high = interval
    return {"passed": passed, "n": n, "share": round(share, 4), "interval": [round(low, 4), round(high, 4)]}


def _score(score: Score) -> dict[str, Any]:
    parts = {name: getattr(score, name).ok for name in ("calls", "files", "answer")}
    return {"passed": score.passed, **parts, "reason": score.reason}
