"""What is in use, what was before and what was rejected, as lines of text and as one JSON object."""

from collections.abc import Iterator
from typing import Any

from punie_cli.models import store
from punie_cli.models.history import Entry, History
from punie_cli.training.putting import Outcome, changed, now_in_use

Line = tuple[str, str]
"""What kind of line it is, and its text; `render` has a style for each kind."""


def lines(history: History) -> Iterator[Line]:
    """All of it, the newest first."""
    entry, gone = now_in_use(history)
    if gone:
        yield "bad", gone
    yield "title", f"in use    {entry.label}"
    yield from _about(entry)
    if what := changed(entry):
        yield "bad", f"          {what}"
    for n, each in enumerate(history.before):
        missing = store.missing(each)
        state = f": {missing} is gone" if missing else ""
        yield "" if not missing else "soft", f"{'before' if n == 0 else '':8}  {each.label}{_since(each)}{state}"
    for n, each in enumerate(history.rejected):
        yield "", f"{'rejected' if n == 0 else '':8}  {each.label}{_since(each)}"
        yield from (("bad", f"          {line}") for line in each.missed)


def put_lines(outcome: Outcome) -> Iterator[Line]:
    """What was put in use, with its figures."""
    yield "title", f"in use    {outcome.entry.label}"
    yield from _about(outcome.entry)
    if outcome.history.before:
        yield "soft", f"before    {outcome.history.before[0].label} (punie use previous)"


def _about(entry: Entry) -> Iterator[Line]:
    if entry.since:
        yield "", f"since     {_time(entry.since)} UTC, by {entry.how}"
    elif not entry.how:
        yield "", "since     always: nothing else was put in use"
    if entry.phase is not None:
        yield "", f"phase     {entry.phase}"
    found = entry.judged
    if "suite" in found:
        text = f"{found['passed']} of {found['n']} cases of {found['suite']} ({found['share']:.0%})"
        yield "", f"gate      {text}, {found['least']:.0%} asked for, by {found['evaluation']}"
        yield from (
            ("", f"          {group} {passed} of {n}") for group, (passed, n) in found.get("groups", {}).items()
        )
    for each in found.get("compared", ()):
        low, high = each["interval"]
        points = f"{each['difference'] * 100:+.1f} points ({low * 100:+.1f} to {high * 100:+.1f})"
        yield "", f"compared  with {each['used']} on {each['suite']}: {points}, {each['verdict']}, by {each['with']}"
    if entry.forced:
        yield "bad", "forced    it was put in use although:"
        yield from (("bad", f"          {line}") for line in entry.missed)


def record(history: History) -> dict[str, Any]:
    """As one JSON object."""
    entry, gone = now_in_use(history)
    return {
        "type": "use",
        "in_use": _record(entry),
        "lost": gone or None,
        "before": [_record(each) for each in history.before],
        "rejected": [_record(each) for each in history.rejected],
    }


def put_record(outcome: Outcome) -> dict[str, Any]:
    """The same, with what was asked for, and whether it was put in use."""
    return record(outcome.history) | {"asked": outcome.name, "put": outcome.put, "missed": list(outcome.entry.missed)}


def _record(entry: Entry) -> dict[str, Any]:
    return {"label": entry.label} | entry.model_dump(mode="json")


def _since(entry: Entry) -> str:
    return f", {_time(entry.since)}" if entry.since else ""


def _time(text: str) -> str:
    return text[:16].replace("T", " ")
