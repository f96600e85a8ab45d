"""Rows, findings and merges as tables and lines of text; `render` and the command line print them."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from punie_cli.approvals import visible
from punie_cli.listings import Listing
from punie_cli.rows.check import Finding, Looked
from punie_cli.rows.formats import FORMS
from punie_cli.rows.merge import Merged
from punie_cli.rows.rerun import Ran
from punie_cli.rows.sides import Sides
from punie_cli.rows.stats import ASKED, Stats

KINDS = {
    "direct": "direct answers",
    "fields": "read a result's field",
    "answered": "output and answer",
    "failures": "failures",
    "fixes": "write, then check",
    "steps": "two programs or more",
}
_BARS = 24
_STEPS = 12


def finding_text(finding: Finding) -> str:
    """`FILE:LINE: KIND: TEXT`."""
    return visible(f"{finding.file}:{finding.line}: {finding.kind}: {finding.text}")


def finding_record(finding: Finding) -> dict[str, Any]:
    """One JSON line."""
    return {"type": "finding", **asdict(finding)}


def checked_record(looked: Looked, seconds: float, ran: Ran | None) -> dict[str, Any]:
    """The last JSON line of a check."""
    findings = dict(looked.findings) | ({"output": ran.findings} if ran and ran.findings else {})
    record: dict[str, Any] = {
        "type": "checked",
        "rows": looked.rows,
        "unreadable": looked.broken,
        "systems_left_out": looked.systems,
        "findings": findings,
        "rows_per_s": round(looked.rows / max(seconds, 1e-9), 1),
        "run": None,
    }
    if ran is not None:
        record["run"] = {
            "rows": ran.rows,
            "no_setting": ran.no_setting,
            "commands": ran.commands,
            "rows_per_s": round(ran.rows / max(ran.seconds, 1e-9), 1),
        }
    return record


def checked_lines(looked: Looked, seconds: float, ran: Ran | None) -> list[str]:
    """What was checked, what was not, and how fast."""
    findings = looked.findings + Counter({"output": ran.findings if ran else 0})
    lines = [f"{looked.rows} rows looked at, {looked.rows / max(seconds, 1e-9):.0f} rows per second"]
    if ran is not None:
        lines.append(f"{ran.rows} rows run, {ran.rows / max(ran.seconds, 1e-9):.1f} rows per second")
        if ran.no_setting:
            lines.append(f"{ran.no_setting} rows with programs not run: they do not say what these ran in")
        if ran.commands:
            lines.append(f"{ran.commands} rows not run: they may run commands (--allow run)")
    elif looked.programs:
        lines.append(f"{looked.programs} rows with programs not run")
    if looked.systems:
        lines.append(f"{looked.systems} system messages are left out when these rows are read")
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(findings.items()))
    return [*lines, f"{findings.total()} findings: {found}" if found else "no findings"]


def merged_lines(merged: Merged) -> list[str]:
    """What a merge read, dropped and wrote."""
    lines = [
        f"{file}: {count} rows read, {merged.dropped[file]} dropped (question came before)"
        for file, count in merged.read.items()
    ]
    lines += [f"  dropped {example}" for example in merged.examples]
    if (more := merged.dropped.total() - len(merged.examples)) > 0:
        lines.append(f"  and {more} more")
    names = {"system": "system messages", "preamble": "texts beside a program", "field": "unknown fields"}
    lines += [f"{count} {names[kind]} left out" for kind, count in sorted(merged.left_out.items())]
    written = f"{merged.rows} rows" if merged.lines == merged.rows else f"{merged.rows} rows in {merged.lines} lines"
    return [*lines, f"{merged.out}: {written}"]


def split_lines(made: Sides) -> list[str]:
    """What a split came to."""
    lines = [
        f"{side} has {made.sides[side]} rows, {wanted} were wanted: families stay whole"
        for side, wanted in made.wanted.items()
        if made.sides[side] != wanted
    ]
    sides = ", ".join(f"{count} {side}" for side, count in made.sides.items())
    return [*lines, f"{made.folder}: {sides}; {made.families} families"]


def stats_record(stats: Stats) -> dict[str, Any]:
    """For JSON."""
    return {
        "rows": stats.rows,
        "files": dict(stats.files),
        "forms": {form: stats.forms[form] for form in FORMS if stats.forms[form]},
        "sides": {side: count for side, count in stats.sides.items() if side},
        "categories": _by_count(stats.categories),
        "intents": _by_count(stats.intents),
        "families": len(stats.families.keys() - {""}),
        "without_family": stats.families[""],
        "shares": {kind: round(stats.share(kind), 4) for kind in KINDS},
        "asked": {kind: list(bounds) for kind, bounds in ASKED.items()},
        "builtins": _by_count(stats.calls),
        "tails": stats.tails,
        "questions": {str(number): count for number, count in sorted(stats.turns.items())},
        "unrendered": stats.unrendered,
        "tokens": stats.tokens.record() if stats.tokens else None,
    }


def stats(stats: Stats) -> Listing:
    """Counts and shares, then a histogram of tokens."""
    rows: list[tuple[str, ...]] = [("rows", str(stats.rows), "")]
    rows += [(f"form {form}", str(stats.forms[form]), "") for form in FORMS if stats.forms[form]]
    rows += [(f"side {side}", str(count), "") for side, count in stats.sides.items() if side]
    rows += [
        (f"category {name or '-'}", str(n), _percent(n, stats.rows)) for name, n in _by_count(stats.categories).items()
    ]
    rows.append(("intents", str(len(stats.intents.keys() - {""})), ""))
    alone = stats.families[""]
    rows.append(("families", str(len(stats.families.keys() - {""})), f"{alone} rows have none" if alone else ""))
    for kind, name in KINDS.items():
        rows.append((name, str(stats.kinds[kind]), f"{stats.share(kind):.1%}{_asked(kind, stats)}"))
    rows += [(f"rows that call {name}", str(n), _percent(n, stats.rows)) for name, n in _by_count(stats.calls).items()]
    rows.append(("rows with a tail", str(stats.tails), _percent(stats.tails, stats.rows)))
    several = sum(count for number, count in stats.turns.items() if number > 1)
    rows.append(("rows with several questions", str(several), _percent(several, stats.rows)))
    if stats.tokens is not None:
        rows += _token_rows(stats)
    return Listing(("", "count", ""), rows, [stats_record(stats)])


def _token_rows(stats: Stats) -> list[tuple[str, ...]]:
    assert stats.tokens is not None
    record, lengths = stats.tokens.record(), stats.tokens.lengths
    rows: list[tuple[str, ...]] = [
        (f"tokens of a row, {name}", str(record[name]), "") for name in ("p50", "p90", "p99", "max")
    ]
    rows.append(("tokens of the core", str(record["core"]), "in each of these"))
    rows.append(("tokens in all", str(record["total"]), "without the core"))
    rows.append(("tokens trained", str(record["trained"]), f"{record['trained_share']:.1%}"))
    if stats.unrendered:
        rows.append(("rows not rendered", str(stats.unrendered), "nothing to train, or no chat template for them"))
    if not lengths:
        return rows
    low, high = min(lengths), max(lengths)
    width = max(1, -(-(high - low + 1) // _STEPS))
    bins: Counter[int] = Counter()
    for length, count in lengths.items():
        bins[(length - low) // width] += count
    largest = max(bins.values())
    for place in range(max(bins) + 1):
        bar = "█" * -(-bins[place] * _BARS // largest)
        rows.append((f"{low + place * width} to {low + (place + 1) * width - 1} tokens", str(bins[place]), bar))
    return rows


def _asked(kind: str, stats: Stats) -> str:
    if kind not in ASKED:
        return ""
    least, most = ASKED[kind]
    asked = f"at least {least:.0%}" if most is None else f"{least:.0%} to {most:.0%}"
    fits = least <= stats.share(kind) <= (1 if most is None else most)
    return f" ({asked})" if fits else f" (not {asked})"


def _percent(count: int, of: int) -> str:
    return f"{count / max(of, 1):.1%}"


def _by_count(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
