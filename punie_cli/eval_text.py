"""An evaluation as lines of text, and as the one JSON object of `punie eval --json`."""

from typing import TYPE_CHECKING, Any

from punie_cli.approvals import visible
from punie_cli.evaluation.evaluate import Begun, Ended, Shown
from punie_cli.evaluation.results import CaseRun, EvalRun
from punie_cli.evaluation.scores import Scores, Tally, scores
from punie_cli.progress import duration

if TYPE_CHECKING:
    from punie_cli.render import View

_LEGEND = "cfa: calls, files and answer are right; - marks what is not"


def begun_lines(event: Begun | Shown) -> list[str]:
    """What is said before the first case."""
    if isinstance(event, Shown):
        return [f"{event.run}, finished {event.finished}, is this evaluation: it is shown, not run again (--again)"]
    lines = [f"{event.run}: {event.subject.label}, {event.of} cases; {_LEGEND}"]
    if event.kept:
        lines[0] = f"{event.run} goes on: {event.subject.label}, {event.kept} of {event.of} cases are done; {_LEGEND}"
    for suite, labels in event.seen.items():
        counts = ", ".join(f"{labels.count(label)} with {label}" for label in dict.fromkeys(labels))
        times = "once" if len(labels) == 1 else f"{len(labels)} times"
        before = f"run {times} before ({counts})" if labels else "not run before"
        lines.append(f"{suite} is sealed: {before}; this run is counted")
    return lines


def case_line(event: Ended) -> str:
    """One line for a case that ended: how many are done, its parts, its time, what was missing."""
    case, width = event.case, len(str(event.of))
    parts = zip("cfa", (case.calls, case.files, case.answer), strict=True)
    marks = "".join(letter if part.ok else "-" for letter, part in parts)
    reason = f": {case.reason}" if case.reason else ""
    return visible(
        f"{event.done:>{width}} of {event.of}  {'pass' if case.passed else 'FAIL'}  {marks}  {case.seconds:6.1f} s  "
        f"{name_of(case)}{reason}"
    )


def live_text(event: Ended) -> str:
    """What goes on after a case: how much is done, and the time left."""
    return f"evaluating: {event.done} of {event.of} cases, about {duration(event.seconds_left)} left"


def show(view: "View", event: Any) -> None:
    """One event of an evaluation on stderr; a pipe is told the time left at each tenth."""
    if not isinstance(event, Ended):
        for line in begun_lines(event):
            view.note(line)
        return
    view.note(case_line(event))
    if event.done == event.of:
        return
    if view.err.is_terminal:
        view.busy(live_text(event))
    elif event.done * 10 // event.of > (event.done - 1) * 10 // event.of:
        view.note(live_text(event))


def name_of(case: CaseRun) -> str:
    """`foundation/check-then-fix`, and which sample it is, after the first."""
    return f"{case.suite}/{case.case}{f' #{case.sample + 1}' if case.sample else ''}"


def result_lines(run: EvalRun) -> list[str]:
    """The table of a run, and what a case took."""
    found = scores(run)
    state = f"in {duration(run.seconds)}" if run.finished else f"unfinished, {len(run.cases)} of {run.of}"
    only = f", only {', '.join(run.only)}" if run.only else ""
    lines = [f"{run.id}  {run.subject.label}  {state}{only}", *_table(found, run.samples)]
    if run.cases:
        right = ", ".join(f"{name} {found.parts[name].passed}" for name in ("calls", "files", "answer"))
        lines.append(f"right: {right} of {found.whole.n}")
    if found.fields is not None:
        lines.append(f"field access: {found.fields.passed} of {found.fields.n} ({found.fields.share:.0%})")
    asked = sum(case.prompt_tokens for case in run.cases) / max(len(run.cases), 1)
    lines.append(
        f"a case: {found.steps.mean:.1f} steps, {asked:.0f} tokens read, {found.tokens.mean:.0f} written, "
        f"{found.seconds.mean:.1f} s"
    )
    return [visible(line) for line in lines]


def _table(found: Scores, samples: int) -> list[str]:
    """Suites with their groups; with several samples also how many cases pass all of them."""
    rows = [("suite", "group", "n", "passed", "share", "95 % interval")]
    for suite, tally in found.suites.items():
        rows.append((suite, "", *_cells(tally)))
        rows += [("", group, *_cells(part)) for (of, group), part in found.groups.items() if of == suite]
    if len(found.suites) > 1:
        rows.append(("all", "", *_cells(found.whole)))
    named = 2 if found.groups else 1
    rows = [(*row[:named], *row[2:]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:named], widths[:named], strict=True)]
        cells += [cell.rjust(width) for cell, width in zip(row[named:], widths[named:], strict=True)]
        lines.append("  ".join(cells))
    if samples > 1 and found.pass_k:
        shares = ", ".join(
            f"{'pass@1' if k == 1 else f'pass^{k}'} {share:.0%}" for k, share in enumerate(found.pass_k, 1)
        )
        lines.append(f"{samples} samples of each case: {shares}")
    return lines


def _cells(tally: Tally) -> tuple[str, str, str, str]:
    low, high = tally.interval
    return str(tally.n), str(tally.passed), f"{tally.share:.0%}", f"{low:.0%} to {high:.0%}"


def as_record(run: EvalRun, *, shown: bool = False, least: float | None = None) -> dict[str, Any]:
    """A run as one JSON object, without diffs and records of turns. `shown`: it had finished before."""
    found = scores(run)
    low = [name for name, tally in found.suites.items() if least is not None and tally.share < least]
    cases = [case.model_dump(mode="json", exclude={"diff", "records"}) | {"text": case.text} for case in run.cases]
    return {
        "type": "eval",
        **run.model_dump(mode="json", exclude={"cases"}),
        "label": run.subject.label,
        "shown": shown,
        "min": least,
        "below": low,
        "scores": {
            "parts": {name: _tally(tally) for name, tally in found.parts.items()},
            "suites": {name: _tally(tally) for name, tally in found.suites.items()},
            "groups": [{"suite": s, "group": g} | _tally(tally) for (s, g), tally in found.groups.items()],
            "pass_k": [round(share, 4) for share in found.pass_k],
            "steps": round(found.steps.mean, 2),
            "tokens": round(found.tokens.mean, 1),
            "seconds": round(found.seconds.mean, 2),
        },
        "cases": cases,
    }


def _tally(tally: Tally) -> dict[str, Any]:
    low, high = (round(bound, 4) for bound in tally.interval)
    return {"passed": tally.passed, "n": tally.n, "share": round(tally.share, 4), "interval": [low, high]}
