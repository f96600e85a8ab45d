"""Evaluations as tables and lines of text, and as JSON; `render` prints them."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from punie_cli.approvals import visible
from punie_cli.errors import MissingError, UsageError
from punie_cli.eval_text import as_record, name_of, result_lines
from punie_cli.evaluation.compare import Change, Comparison, Difference, comparable, compare, subject_differences
from punie_cli.evaluation.report import diff_lines, points, short
from punie_cli.evaluation.results import CaseRun, EvalRun, resolve
from punie_cli.evaluation.transcript import lines_of, pieces
from punie_cli.listings import Listing
from punie_cli.tool_output import counted

Line = tuple[str, str]
"""What kind of line it is, and its text; `render` has a style for each kind."""

_TURN = {
    "call": "call",
    "note": "bad",
    "prompt": "prompt",
    "answer": "answer",
    "program": "program",
    "output": "output",
}


def find_runs(names: Sequence[str]) -> list[EvalRun]:
    """The runs that these names mean. Raises MissingError, and UsageError for two names of one run."""
    found: dict[str, EvalRun] = {}
    meant: dict[str, str] = {}
    for name in names:
        run = resolve(name)
        if run.id in found:
            raise UsageError(f"'{meant[run.id]}' and '{name}' both mean {run.id}", "punie eval list")
        found[run.id], meant[run.id] = run, name
    return list(found.values())


def runs(found: Sequence[EvalRun]) -> Listing:
    """Evaluations, the newest first."""
    newest = found[::-1]
    rows: list[tuple[str, ...]] = [
        (
            run.id,
            run.started[:16].replace("T", " "),
            run.subject.label,
            ", ".join(run.suites) + (f" (only {', '.join(run.only)})" if run.only else ""),
            f"{run.passed}/{len(run.cases)}",
            f"{run.passed / len(run.cases):.0%}" if run.cases else "",
            "" if run.finished else f"unfinished, {len(run.cases)} of {run.of}",
        )
        for run in newest
    ]
    items = [{key: value for key, value in as_record(run).items() if key != "cases"} for run in newest]
    head = ("eval", "begun (UTC)", "subject", "suites", "passed", "share", "")
    return Listing(head, rows, items, "no evaluations yet; `punie eval` makes one")


def cases(run: EvalRun, *, failed: bool = False) -> Listing:
    """The cases of a run in its order, or those that failed."""
    chosen = [case for case in run.cases if not (failed and case.passed)]
    rows: list[tuple[str, ...]] = [
        # In a pipe a cell is printed as it is, and a name of a file may hold what no encoding has.
        (name_of(case), case.group, *_marks(case), f"{case.steps}", f"{case.seconds:.1f}", visible(case.reason))
        for case in chosen
    ]
    head = ("case", "group", "", "calls", "files", "answer", "steps", "s", "reason")
    return Listing(head, rows, [], "no case failed" if failed else "no case yet")


def _marks(case: CaseRun) -> tuple[str, ...]:
    parts = ("ok" if part.ok else "no" for part in (case.calls, case.files, case.answer))
    return ("pass" if case.passed else "FAIL", *parts)


def find_cases(run: EvalRun, name: str) -> list[CaseRun]:
    """All samples of the cases of this name, `fix-first` or `core/fix-first`. Raises MissingError."""
    found = [case for case in run.cases if name in (case.case, f"{case.suite}/{case.case}")]
    if found:
        return found
    known = list(dict.fromkeys(case.case for case in run.cases))
    near = difflib.get_close_matches(name, known, 3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise MissingError(f"{run.id} has no case '{name}'{hint}", f"punie eval show {run.id}")


def case_lines(case: CaseRun) -> Iterator[Line]:
    """A case in full: verdict by parts, prompts, programs, calls, outputs, answers, what became of the files."""
    yield "title", f"{name_of(case)}: {'passed' if case.passed else 'failed'}"
    for name in ("calls", "files", "answer"):
        part = getattr(case, name)
        yield "good" if part.ok else "bad", f"{name:6}  {'ok' if part.ok else part.reason or 'no'}"
    if case.fields_asked:
        yield "good" if case.fields else "bad", f"fields  {'read' if case.fields else 'not read'}"
    tokens = f"{case.prompt_tokens} tokens read, {case.completion_tokens} written"
    yield "soft", f"cost    {counted(case.steps, 'step')}, {tokens}, {case.seconds:.1f} s"
    if len(case.prompts) == 1:
        yield "", ""
        yield from (("prompt", f"> {line}") for line in case.prompts[0].splitlines())
    for piece in pieces(case):
        if piece.kind in ("prompt", "answer"):
            yield "", ""
        kind = _TURN[piece.kind] if piece.ok or piece.kind == "output" else "bad"
        *lines, last = lines_of(piece) or [""]
        yield from ((kind, line) for line in lines)
        yield "bad" if piece.note and not piece.ok else kind, last
    if case.diff:
        yield "", ""
        yield from diff_lines(case.diff)


def case_record(case: CaseRun) -> dict[str, Any]:
    """A case for JSON, whole."""
    return case.model_dump(mode="json") | {"text": case.text}


Section = tuple[str, Listing]


def comparison(found: Sequence[EvalRun]) -> list[Section]:
    """Runs against the first of them: differences, by part and suite, what differs, cases that changed."""
    first, compared = found[0], [compare(found[0], run) for run in found[1:]]
    share = f"{first.passed / len(first.cases):.1%}" if first.cases else ""
    rows: list[tuple[str, ...]] = [(first.id, first.subject.label, str(len(first.cases)), "", share)]
    rows += [
        (each.b.id, each.b.subject.label, str(each.difference.n), *_difference(each.difference)) for each in compared
    ]
    head = ("eval", "subject", "n", first.id, "share", "points", "95 % interval", "p", "")
    sections = [("", Listing(head, rows, []))]
    parts = [(name, each) for each in compared for name in _rows(each)]
    names = dict.fromkeys(name for name, _ in parts)
    by: list[tuple[str, ...]] = [(name, *(_points(_rows(each).get(name)) for each in compared)) for name in names]
    sections.append(("points by part and suite", Listing(("", *(each.b.id for each in compared)), by, [])))
    differs = subject_differences(found)
    values: list[tuple[str, ...]] = [(name.replace("_", " "), *(map(short, row))) for name, row in differs.items()]
    if values:
        sections.append(("what differs", Listing(("", *(run.id for run in found)), values, [])))
    changed = [row for each in compared for row in _changes(each)]
    if changed:
        head = ("eval", "", "case", first.id, "it", "what was missing")
        sections.append(("cases that changed", Listing(head, changed, [])))
    return sections


def left_out(found: Sequence[EvalRun]) -> Iterator[str]:
    """One line for each run that has cases, or lacks some, that the first has not, or has."""
    for run in found[1:]:
        out = compare(found[0], run).left_out
        if out:
            reasons = "; ".join(dict.fromkeys(each.reason for each in out))
            yield f"{run.id}: {counted(len(out), 'case')} left out: {reasons}"


def _rows(each: Comparison) -> dict[str, Difference]:
    return each.parts | (
        {f"suite {name}": found for name, found in each.suites.items()} if len(each.suites) > 1 else {}
    )


def _points(found: Difference | None) -> str:
    return f"{points(found.value)} ({points(found.low)} to {points(found.high)})" if found else "-"


def _difference(found: Difference) -> tuple[str, ...]:
    interval = f"{points(found.low)} to {points(found.high)}"
    return f"{found.a:.1%}", f"{found.b:.1%}", points(found.value), interval, f"{found.p:.3f}", found.verdict


def _changes(each: Comparison) -> Iterator[tuple[str, ...]]:
    for word, changes in (("better", each.gained), ("worse", each.lost)):
        for change in changes:
            reason = visible(change.a_reason if word == "better" else change.b_reason)
            yield each.b.id, word, f"{change.suite}/{change.case}", f"{change.a:.0%}", f"{change.b:.0%}", reason


def comparison_record(found: Sequence[EvalRun]) -> dict[str, Any]:
    """A comparison as one JSON object."""
    heads = runs(found[::-1]).items
    return {
        "type": "comparison",
        "runs": heads,
        "differs": subject_differences(found),
        "comparisons": [_record(compare(found[0], run)) for run in found[1:]],
    }


def _record(each: Comparison) -> dict[str, Any]:
    return {
        "a": each.a.id,
        "b": each.b.id,
        **_numbers(each.difference),
        "parts": {name: _numbers(found) for name, found in each.parts.items()},
        "suites": {name: _numbers(found) for name, found in each.suites.items()},
        "gained": [_change(change) for change in each.gained],
        "lost": [_change(change) for change in each.lost],
        "left_out": [asdict(out) for out in each.left_out],
    }


def _change(change: Change) -> dict[str, Any]:
    return asdict(change) | {"a": round(change.a, 4), "b": round(change.b, 4)}


def _numbers(found: Difference) -> dict[str, Any]:
    numbers = {"share_a": found.a, "share_b": found.b, "difference": found.value, "p": found.p}
    rounded = {name: round(value, 4) for name, value in numbers.items()}
    interval = [round(found.low, 4), round(found.high, 4)]
    return {"n": found.n, **rounded, "interval": interval, "verdict": found.verdict}


def report(found: Sequence[EvalRun]) -> list[Section]:
    """Runs for a terminal: the cases that failed in each, and how they compare."""
    failed = [(f"{run.id}: cases that failed", cases(run, failed=True)) for run in found]
    compared = comparable(found)
    return (comparison(compared) if len(compared) > 1 else []) + [each for each in failed if each[1].rows]


def summary(found: Sequence[EvalRun]) -> list[str]:
    """The tables of runs, one under the other."""
    return [line for run in found for line in (*result_lines(run), "")]


def report_record(found: Sequence[EvalRun]) -> dict[str, Any]:
    """Runs as one JSON object, with all records of their turns, and how they compare."""
    whole = [as_record(run) | {"cases": [case_record(case) for case in run.cases]} for run in found]
    return {"type": "report", "runs": whole, "comparisons": comparison_record(comparable(found))["comparisons"]}
