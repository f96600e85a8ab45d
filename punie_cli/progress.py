"""A training run as lines of text: one changing line with the course of the loss on a terminal, few lines in a pipe."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from punie_cli.training.reports import (
    Finished,
    Plan,
    Preflight,
    Report,
    Saved,
    Step,
    Stopped,
    Validated,
    Warned,
)

_BARS = "▁▂▃▄▅▆▇█"
# A whole line fits in 80 columns.
_CURVE = 12
# Elsewhere than on a terminal so many steps are told, in even distance, besides the first and the last.
_LINES = 50


def sparkline(values: Sequence[float], width: int = _CURVE) -> str:
    """The values as bars in at most `width` places, each the mean of its part; the lowest is one eighth high."""
    if not values:
        return ""
    places = min(width, len(values))
    bounds = [len(values) * i // places for i in range(places + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(bounds)]
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class Course:
    """Follows one run and says what to show of each report."""

    def __init__(self) -> None:
        self._losses: list[float] = []

    def live(self, step: Step) -> str:
        """A step on a terminal's one changing line."""
        self._losses.append(step.loss)
        return (
            f"step {step.step}/{step.steps} loss {step.loss:.3f} {sparkline(self._losses)} {1 / step.seconds:.2f} it/s "
            f"{step.tokens_per_s:.0f} tok/s {step.peak_gb:.1f} GB {duration(step.seconds_left)} left"
        )

    def tells(self, step: Step) -> bool:
        """Is this step one of those that a pipe is told?"""
        every = -(-step.steps // _LINES)
        return step.step in (1, step.steps) or step.step % every == 0 or step.skipped


def training_text(report: Report | Any) -> str:
    """One line for a report of `training.run.train`; empty for those that need no line of their own."""
    match report:
        case Plan():
            begin = f", from step {report.resumed_at}" if report.resumed_at else ""
            hosts = f" on {report.hosts} hosts" if report.hosts > 1 else ""
            return (
                f"phase {report.phase} on {report.model}: {report.rows.rows} rows, {report.steps} steps of "
                f"{report.rows_per_step}{begin}{hosts}, about {report.context_tokens:,} tokens to read; "
                f"{report.method} in {report.layers} layers, {report.parameters / 1e6:.1f} million parameters; "
                f"run {report.run}"
            )
        case Preflight():
            time = f", about {duration(report.seconds)}" if report.measured else ""
            return (
                f"memory {report.tier}: {report.peak_gb:.2f} of {report.limit_gb:.2f} GB at the longest batch"
                f"{'' if report.measured else ' (computed)'}{time}; {report.disk_gb:.2f} GB of disk for checkpoints"
            )
        case Step():
            rate = f"{report.tokens_per_s:.0f} tokens/s, {report.peak_gb:.1f} GB, {duration(report.seconds_left)} left"
            skipped = "; not finite, left out" if report.skipped else ""
            return f"step {report.step} of {report.steps}: loss {report.loss:.3f}, {rate}{skipped}"
        case Validated():
            score = "" if report.score is None else f", probe {report.score:.0%}"
            best = " (best)" if report.best else ""
            return f"step {report.step}: validation loss {report.loss:.4f}{score}{best}"
        case Warned():
            return f"Warning: {report.text}"
        case Stopped(reason="patience"):
            return f"step {report.step}: no better validation for a while, stopped early"
        case Stopped() | Saved() | Finished():
            return ""
    return ""


def finished_text(done: Finished) -> str:
    """The last line of a run."""
    score = "" if done.score is None else f", probe {done.score:.0%}"
    return f"{done.adapter}: step {done.step}, validation loss {done.loss:.4f}{score}, {duration(done.seconds)}"


def draft_text(draft: Any) -> str:
    """A `training.plan.Draft` for people: values with their source, what the rows come to, the first row."""
    stats, valid = draft.data.stats, draft.data.valid_stats
    width = max(len(value.key) for value in draft.values)
    lines = [f"{v.key:{width}}  {_value(v.value)}  ({v.source})" for v in draft.values]
    lines += [
        "",
        f"model       {draft.model}",
        f"rows        {draft.data.folder}",
        f"train       {stats.rows} rows, {stats.tokens:,} tokens, {stats.trained:,} trained, longest {stats.longest}",
        f"validation  {valid.rows} rows, {valid.tokens:,} tokens, {valid.trained:,} trained, longest {valid.longest}",
        f"core        {stats.core} tokens before each row, prompt {draft.data.core.hash[:12]}",
        f"steps       {draft.steps}, about {draft.context_tokens:,} tokens to read",
        "",
        draft.first_row,
    ]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "-" if value is None else str(value)
