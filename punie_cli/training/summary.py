"""What a pipeline came to: one line a stage, and the figures that a person asks for."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punie_cli.training.gate import below, short
from punie_cli.training.phase import Eval
from punie_cli.training.stages import StageRecord


@dataclass(frozen=True)
class StageLine:
    """One stage of a pipeline; `seconds` is what it took when it was done, `skipped` that this was not now."""

    stage: str
    seconds: float
    skipped: bool
    output: str
    figures: dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """A pipeline that went to its end. Losses in nats, sizes in bytes, share and gate from 0 to 1.

    `passed` is None for a pipeline without an eval stage. `short` names the groups of which too few cases passed,
    `evaluation` is the id of the one that tried the suite.
    """

    phase: int
    base: str
    stages: tuple[StageLine, ...]
    run: str | None
    loss: float | None = None
    size: int | None = None
    bits: float | None = None
    share: float | None = None
    n: int | None = None
    gate: float | None = None
    passed: bool | None = None
    short: tuple[str, ...] = ()
    suite: str | None = None
    evaluation: str | None = None

    @property
    def missed(self) -> tuple[str, ...]:
        """What is below the gate, one line each."""
        if self.share is None or self.n is None or self.gate is None:
            return ()
        what = f"cases of {self.suite}" if self.suite else "rows"
        return (*below(round(self.share * self.n), self.n, self.gate, what), *self.short)

    @property
    def seconds(self) -> float:
        """What all stages took, skipped ones too."""
        return round(sum(line.seconds for line in self.stages), 2)


@dataclass(frozen=True)
class Comparison:
    """The pipelines of a phase with several bases, in its order."""

    phase: int
    summaries: tuple[Summary, ...]


def summarize(phase: int, base: str, records: Iterable[StageRecord], recipe: Eval | None) -> Summary:
    """The summary of a pipeline's records; a gate only where there is an eval stage."""
    records = tuple(records)
    facts = {record.stage: record.output.facts for record in records}
    made = facts.get("quantize") or facts.get("fuse") or {}
    train, tried = facts.get("train", {}), facts.get("eval")
    share = tried["share"] if tried else None
    gate = recipe.gate if recipe else None
    few = short(recipe.groups, tried.get("groups", {})) if recipe and tried else ()
    return Summary(
        phase,
        base,
        tuple(StageLine(r.stage, r.seconds, r.skipped, r.output.path, r.output.facts) for r in records),
        train.get("run"),
        train.get("loss"),
        made.get("size"),
        made.get("bits"),
        share,
        tried["n"] if tried else None,
        gate if tried else None,
        None if share is None or gate is None else share >= gate and not few,
        few,
        tried.get("suite") if tried else None,
        tried.get("evaluation") if tried else None,
    )


def run_figures(run: Path) -> dict[str, Any]:
    """First and last validation loss, most memory and steps of a run, from its `metrics.jsonl`."""
    try:
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    losses: list[float] = []
    found: dict[str, Any] = {}
    for line in lines:
        try:
            report = json.loads(line)
        except ValueError:
            # The last line of a run that was killed.
            continue
        if report.get("type") == "validated":
            losses.append(report["loss"])
        elif report.get("type") == "step":
            found["steps"] = report["step"]
            found["peak_gb"] = round(max(found.get("peak_gb", 0.0), report["peak_gb"]), 3)
    if losses:
        found["first_loss"], found["last_loss"] = losses[0], losses[-1]
    return found
