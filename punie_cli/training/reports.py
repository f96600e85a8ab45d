"""What a training run tells, as it happens: each kind is one line of `metrics.jsonl` and of `punie train --json`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Tier = Literal["SAFE", "TIGHT", "OOM"]


@dataclass(frozen=True)
class Stats:
    """What the rows come to in tokens; `core` is the length of the prompt core that all begin with."""

    rows: int
    tokens: int
    trained: int
    longest: int
    core: int


@dataclass(frozen=True)
class Plan:
    """What a run will do, said before it starts. `context_tokens` is what the model will read, without padding."""

    phase: int
    run: Path
    model: str
    method: str
    layers: int
    rows: Stats
    validation_rows: int
    steps: int
    rows_per_step: int
    context_tokens: int
    parameters: int
    resumed_at: int
    hosts: int = 1


@dataclass(frozen=True)
class Preflight:
    """Two real steps on the longest batch, undone again. `limit_gb` is what the device or the free memory allows.

    `seconds` is an estimate for what is left of the run, validations included. `advice`: a change that fits, with its
    peak, where this does not. With `measured` off the longest batch was too large to try; its peak is computed.
    """

    peak_gb: float
    limit_gb: float
    tier: Tier
    measured: bool
    step_seconds: float
    seconds: float
    disk_gb: float
    advice: str = ""


@dataclass(frozen=True)
class Step:
    """One optimizer step. `loss` is the mean over trained tokens (nats); `tokens_per_s` counts all tokens read.

    `norm` is the gradient's before clipping. `skipped`: loss or gradient were not finite, and nothing was changed.
    """

    step: int
    steps: int
    loss: float
    norm: float
    learning_rate: float
    rows: int
    seconds: float
    tokens_per_s: float
    seconds_left: float
    peak_gb: float
    skipped: bool = False


@dataclass(frozen=True)
class Validated:
    """The loss over the whole fixed validation set, and the probe's score (0 to 1) where there is a probe.

    `best`: no earlier score was higher; without a probe, no earlier loss was lower. Step 0 is the untrained model.
    """

    step: int
    loss: float
    best: bool
    score: float | None = None


@dataclass(frozen=True)
class Saved:
    """A whole checkpoint is on the disk."""

    step: int
    path: Path


@dataclass(frozen=True)
class Warned:
    """Something a person should know; the run goes on."""

    text: str


@dataclass(frozen=True)
class Stopped:
    """The run ended before its last step; a checkpoint was written. `reason`: asked, or patience."""

    step: int
    reason: Literal["asked", "patience"] = "asked"


@dataclass(frozen=True)
class Finished:
    """A finished run: the adapter of the best checkpoint."""

    adapter: Path
    step: int
    loss: float
    seconds: float
    run: Path
    score: float | None = None


LoopReport = Step | Validated | Saved | Stopped
Report = Plan | Preflight | Warned | LoopReport | Finished


def as_record(report: Report) -> dict[str, Any]:
    """The report as JSON, `type` first."""
    fields = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(report).items()}
    return {"type": type(report).__name__.lower()} | fields
