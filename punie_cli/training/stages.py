"""Stages of a pipeline: each remembers what it was made from, and is not done again while that and its output agree.

    stages/23/rows.json, train.json, …      one record for each stage that is done, below punie's data

A record is written after the output is there as a whole, so a stage that was killed is simply not done yet.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from punie_cli.errors import UsageError
from punie_cli.models.building import write_json

StageName = Literal["rows", "train", "fuse", "quantize", "eval"]
STAGES: tuple[StageName, ...] = get_args(StageName)


@dataclass(frozen=True)
class StagePlan:
    """What a pipeline will do; `disk_gb` is an estimate for the models that it has yet to make."""

    phase: int
    base: str
    stages: tuple[StageName, ...]
    disk_gb: float


@dataclass(frozen=True)
class StageStarted:
    """A stage begins; `why` says what changed, or that it was never done."""

    stage: StageName
    why: str


@dataclass(frozen=True)
class StageProgress:
    """How far a stage is; 0 of 0 where that is not known."""

    stage: StageName
    text: str
    done: int = 0
    total: int = 0
    unit: str = ""


@dataclass(frozen=True)
class StageSkipped:
    """A stage has nothing to do."""

    stage: StageName
    reason: str
    output: str


@dataclass(frozen=True)
class StageDone:
    """A stage has ended well, after `seconds`."""

    stage: StageName
    seconds: float
    output: str
    facts: dict[str, Any]


StageReport = StagePlan | StageStarted | StageProgress | StageSkipped | StageDone


@dataclass(frozen=True)
class Output:
    """What a stage made: a file or a folder, its hash, and what is told about it."""

    path: str
    hash: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StageRecord:
    """A stage that was done: from what, to what."""

    stage: StageName
    inputs: dict[str, Any]
    output: Output
    seconds: float
    finished: str
    """Time in UTC, ISO 8601."""
    skipped: bool = False


class Ledger:
    """The records of one pipeline, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> dict[str, Any] | None:
        """A record as it was written; None where there is none that can be read."""
        try:
            found = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def write(self, name: str, value: Any) -> None:
        """Keep a record, whole or not at all."""
        write_json(self.folder / f"{name}.json", value)

    def record(self, stage: StageName) -> StageRecord | None:
        """What was kept of a stage."""
        found = self.read(stage)
        try:
            return (
                StageRecord(stage, found["inputs"], Output(**found["output"]), found["seconds"], found["finished"])
                if found
                else None
            )
        except (KeyError, TypeError):
            return None


def run_stage(
    ledger: Ledger,
    stage: StageName,
    inputs: dict[str, Any],
    work: Callable[[], Output],
    hash_now: Callable[[str], str | None],
    report: Callable[[Any], None],
) -> StageRecord:
    """Do a stage unless it was done from these inputs and its output is whole: `hash_now(path)` is the recorded hash.

    `hash_now` gives None for an output that is gone or damaged.
    """
    inputs = plain(inputs)
    kept = ledger.record(stage)
    why = _why(kept, inputs, hash_now)
    if kept is not None and not why:
        report(StageSkipped(stage, "unchanged", kept.output.path))
        return replace(kept, skipped=True)
    report(StageStarted(stage, why))
    start = time.monotonic()
    made = work()
    seconds = round(time.monotonic() - start, 2)
    record = StageRecord(stage, inputs, made, seconds, datetime.now(UTC).isoformat(timespec="seconds"))
    ledger.write(stage, {key: value for key, value in asdict(record).items() if key != "skipped"})
    report(StageDone(stage, seconds, made.path, made.facts))
    return record


def _why(kept: StageRecord | None, inputs: dict[str, Any], hash_now: Callable[[str], str | None]) -> str:
    if kept is None:
        return "not done yet"
    changed = [key for key in sorted(kept.inputs.keys() | inputs.keys()) if kept.inputs.get(key) != inputs.get(key)]
    if changed:
        return f"changed: {', '.join(changed)}"
    now = hash_now(kept.output.path)
    if now is None:
        return "its output is gone or damaged"
    return "" if now == kept.output.hash else "its output is another one now"


def plain(value: Any) -> Any:
    """A value as JSON gives it back: what is compared with a record."""
    return json.loads(json.dumps(value))


def up_to(through: StageName, present: Iterable[StageName]) -> tuple[StageName, ...]:
    """The stages to do, in order. Raises UsageError where `through` is one that the phase does not have."""
    present = tuple(present)
    if through not in present:
        named = {"fuse": "fuse.mode=touched", "quantize": "quantize.bits=5", "eval": "eval.suite=foundation"}
        raise UsageError(
            f"the phase has no [{through}] section; it goes through {present[-1]}",
            f"--through {present[-1]}, or --set {named[through]}",
        )
    return present[: present.index(through) + 1]
