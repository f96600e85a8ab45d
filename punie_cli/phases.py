"""Phases and pipelines as tables and lines of text; `render` prints them."""

from dataclasses import asdict
from typing import Any

from punie_cli.evaluation.measure import Tried
from punie_cli.listings import Listing
from punie_cli.progress import duration
from punie_cli.training.overview import differences, overview
from punie_cli.training.recipe import resolve
from punie_cli.training.stages import StageDone, StagePlan, StageSkipped, StageStarted
from punie_cli.training.summary import Comparison, StageLine, Summary


def phases() -> Listing:
    """All phases, with the last run and what it came to."""
    found = overview()
    rows: list[tuple[str, ...]] = [
        (
            str(p.number),
            p.title,
            "not built" if p.rows is None else f"{p.rows} rows",
            p.base,
            "in use" if p.in_use else "",
            f"{p.run}{'' if p.finished else ' (unfinished)'}" if p.run else "",
            "" if p.loss is None else f"loss {p.loss:.3f}",
            "" if p.share is None else f"{p.share:.0%}{'' if p.passed else ' below the gate'}",
        )
        for p in found
    ]
    head = ("phase", "title", "rows", "base", "", "last run", "loss", "score")
    return Listing(head, rows, [asdict(p) for p in found])


def phase(number: int) -> Listing:
    """The recipe of a phase: each value with its source."""
    values = resolve(number).values
    rows: list[tuple[str, ...]] = [(v.key, value_text(v.value), v.source) for v in values]
    return Listing(("key", "value", "from"), rows, [asdict(v) for v in values])


def difference(one: int, other: int) -> Listing:
    """The keys on which two phases differ."""
    found = differences(one, other)
    rows: list[tuple[str, ...]] = [(d.key, value_text(d.one), value_text(d.other)) for d in found]
    return Listing(("key", str(one), str(other)), rows, [asdict(d) for d in found], "they do not differ")


def value_text(value: Any) -> str:
    """A value of a recipe on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return "-" if value is None else str(value)


def stage_text(event: Any) -> str:
    """One line for a report of a pipeline; empty for those that are no line of their own."""
    match event:
        case StagePlan(number, base, stages, disk):
            room = f"; {disk:.2f} GB of disk for models" if disk else ""
            return f"phase {number} on {base}: {', '.join(stages)}{room}"
        case StageStarted(stage, why):
            return f"[{stage}] begins ({why})"
        case StageSkipped(stage, reason, output):
            return f"[{stage}] skipped, {reason}: {output}"
        case StageDone(stage, seconds, output):
            return f"[{stage}] done in {duration(seconds)}: {output}"
        case Tried():
            reason = f": {event.reason}" if event.reason else ""
            return f"{event.done} of {event.of}  {'pass' if event.passed else 'FAIL'}  {event.name}{reason}"
    return ""


def result(done: Summary | Comparison) -> Listing:
    """What a pipeline came to: a line for each stage, or for each base of a comparison."""
    return _comparison(done) if isinstance(done, Comparison) else _summary(done)


def _summary(done: Summary) -> Listing:
    rows: list[tuple[str, ...]] = [
        (line.stage, "unchanged" if line.skipped else duration(line.seconds), _figures(line), line.output)
        for line in done.stages
    ]
    if done.share is not None and done.gate is not None:
        verdict = "passed" if done.passed else "not passed"
        found = "; ".join([f"{done.share:.0%} of {done.n}, {done.gate:.0%} asked for", *done.short])
        rows.append(("gate", "", f"{found}: {verdict}", ""))
    return Listing(("stage", "time", "what", "where"), rows, [asdict(done)])


def _comparison(done: Comparison) -> Listing:
    rows: list[tuple[str, ...]] = [
        (
            s.base,
            duration(s.seconds),
            "" if s.loss is None else f"loss {s.loss:.4f}",
            "" if s.size is None else size_text(s.size),
            "" if s.bits is None else f"{s.bits:.2f} bits",
            "" if s.share is None else f"{s.share:.0%} of {s.n}",
            "" if s.passed is None else "passed" if s.passed else "below the gate",
        )
        for s in done.summaries
    ]
    return Listing(("base", "time", "loss", "size", "per weight", "score", "gate"), rows, [asdict(done)])


def _figures(line: StageLine) -> str:
    facts = line.figures
    match line.stage:
        case "rows":
            return ", ".join(f"{count} {side}" for side, count in facts.items())
        case "train":
            first = facts.get("first_loss")
            begin = "" if first is None else f"{first:.4f} at first, "
            memory = f", {facts['peak_gb']:.2f} GB at most" if "peak_gb" in facts else ""
            return f"validation loss {begin}{facts['loss']:.4f} at step {facts['step']}{memory}"
        case "eval":
            rows = f", {facts['rows_passed']} of {facts['rows']} rows" if "rows" in facts else ""
            return f"{facts['passed']} of {facts['n']} cases{rows}"
    same = facts.get("same_programs")
    programs = f", {same[0]} of {same[1]} programs the same" if same else ""
    return (
        f"{size_text(facts['size'])}, {facts['bits']:.2f} bits a weight; KL {facts['kl']:.1e}, "
        f"{facts['agreement']:.1%} of tokens alike{programs}"
    )


def size_text(size: int) -> str:
    """Bytes as megabytes or gigabytes."""
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
