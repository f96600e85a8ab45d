"""Listings, records and lines on stdout, for people or as JSON: what commands print when no session runs."""

import json
import sys
from collections.abc import Iterable
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from punie_cli.agent.prompt import Segment
from punie_cli.approvals import visible
from punie_cli.doctor import Report
from punie_cli.listings import Listing
from punie_cli.render import Color, console

_LINE_STYLES = {
    "title": "bold", "prompt": "bold", "good": "green", "bad": "red", "soft": "dim", "program": "cyan", "output": "dim",
    "head": "bold", "hunk": "cyan", "added": "green", "removed": "red",
}  # fmt: skip


def print_listing(listing: Listing, form: Literal["table", "names", "json"], color: Color = "auto") -> None:
    """A listing on stdout. A table in a pipe has tabs between its cells and no head."""
    if form == "json":
        _print_json(listing.items)
        return
    if form == "names":
        sys.stdout.write("".join(f"{row[0]}\n" for row in listing.rows))
        return
    screen = console(sys.stdout, color)
    if not listing.rows:
        sys.stderr.write(f"{listing.empty}\n")
    elif not screen.is_terminal:
        sys.stdout.write("".join("\t".join(row).rstrip() + "\n" for row in listing.rows))
    else:
        table = Table(*listing.head, box=None, pad_edge=False, header_style="bold")
        for row in listing.rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
        screen.print(table)


def print_sections(sections: Iterable[tuple[str, Listing]], color: Color = "auto") -> None:
    """Listings one under the other, each under its title."""
    for number, (title, listing) in enumerate(sections):
        if number:
            sys.stdout.write("\n")
        if title:
            console(sys.stdout, color).print(Text(visible(title), style="bold"))
        print_listing(listing, "table", color)


def print_lines(lines: Iterable[tuple[str, str]], color: Color = "auto") -> None:
    """Lines on stdout, each in the style of its kind."""
    screen = console(sys.stdout, color)
    for kind, text in lines:
        screen.print(Text(visible(text), style=_LINE_STYLES.get(kind, "")), soft_wrap=True)


def print_segments(segments: Iterable[Segment], *, mask: bool = False, color: Color = "auto") -> None:
    """A rendered row on stdout; with `mask` what is trained stands out, where there is no colour between ⟦ and ⟧."""
    screen = console(sys.stdout, color)
    if screen.color_system:
        for segment in segments:
            style = "" if not mask else "bold green" if segment.trained else "dim"
            screen.print(Text(visible(segment.text), style=style), end="", soft_wrap=True)
    else:
        for segment in segments:
            text = visible(segment.text) if screen.is_terminal else segment.text
            sys.stdout.write(f"⟦{text}⟧" if mask and segment.trained else text)
    sys.stdout.write("\n")


def print_fields(fields: dict[str, Any], *, json: bool = False) -> None:
    """Names and values on stdout."""
    if json:
        _print_json(fields)
        return
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        if value not in ("", None):
            sys.stdout.write(f"{name:{width}}  {visible(str(value))}\n")


def print_report(report: Report, *, json: bool = False, color: Color = "auto") -> None:
    """The checks of the doctor on stdout, each failed one with what mends it."""
    if json:
        _print_json(report.json())
        return
    screen = console(sys.stdout, color)
    width = max(len(check.name) for check in report.checks)
    for check in report.checks:
        mark, style = {True: ("ok", "green"), False: ("!!", "bold red"), None: ("  ", "")}[check.ok]
        screen.print(Text(f"{mark} ", style=style) + Text(f"{check.name:{width}}  {visible(check.value)}"))
        if check.ok is False and check.hint:
            screen.print(Text(f"   {'':{width}}  Try: {check.hint}"))


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
