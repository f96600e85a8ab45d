"""What happened in a case, from its records, as pieces that a page, a terminal and a test report show alike.

Whatever a model wrote has its control and invisible characters escaped, and long texts are cut.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from punie_cli.agent.events import Called
from punie_cli.approvals import visible
from punie_cli.evaluation.results import CaseRun
from punie_cli.event_text import call_text, error_text, outcome_text

Kind = Literal["prompt", "program", "call", "output", "answer", "note"]
# More of one text than this is cut: the store has all of it.
_TEXT, _RESULT = 6000, 1000


@dataclass(frozen=True)
class Piece:
    """`text` is what was written or printed; `note` how it ended, `ok` whether well; `more` is the result of a call."""

    kind: Kind
    text: str
    note: str = ""
    ok: bool = True
    more: str = ""


def pieces(case: CaseRun) -> Iterator[Piece]:
    """All that happened, in order; the prompts only where there are several."""
    for record in case.records:
        piece = _piece(record)
        if piece is not None and (piece.kind != "prompt" or len(case.prompts) > 1):
            yield piece


def plain_text(case: CaseRun) -> str:
    """The prompts and all that followed, as one text without styles."""
    lines = [] if len(case.prompts) > 1 else [f"> {visible(prompt)}" for prompt in case.prompts]
    for piece in pieces(case):
        lines += lines_of(piece)
    return "\n".join(lines)


def lines_of(piece: Piece) -> list[str]:
    """A piece as lines: prompts after `>`, programs after `│`, calls after `•`, outputs indented."""
    mark = {"prompt": "> ", "program": "│ ", "output": "  "}.get(piece.kind, "")
    lines = [f"{mark}{line}".rstrip() for line in piece.text.splitlines()]
    if piece.kind == "call":
        return [f"• {piece.text}{f' → {piece.note}' if piece.note else ''}"]
    return [*lines, f"{mark}{piece.note}"] if piece.note else lines


def cut(text: str, most: int = _TEXT) -> str:
    """The text with control characters escaped, cut in its middle if it is longer."""
    text = visible(text)
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters …\n{text[-half:]}"


def _piece(record: dict[str, Any]) -> Piece | None:
    match record["type"]:
        case "prompt":
            return Piece("prompt", cut(record["text"]))
        case "program":
            return Piece("program", cut(record["code"]).rstrip("\n"))
        case "call":
            return _call(record)
        case "output":
            text, error = cut(record["text"]).rstrip("\n"), record["error"]
            return Piece("output", text, error_text(error) if error else "", ok=not error) if text or error else None
        case "answer":
            finish = record["finish"]
            note = "" if finish == "stop" else f"(ended by {finish})"
            return Piece("answer", cut(record["text"]).strip("\n"), note, ok=finish == "stop")
        case "approval" if record["decision"] == "refused":
            by = {"person": "a person", "no-terminal": "nobody was there to be asked"}.get(record["by"], record["by"])
            return Piece("note", f"{visible(record['builtin'])} was refused: {by}", ok=False)
        case "error":
            return Piece("note", cut(record["message"]), ok=False)
    return None


def _call(record: dict[str, Any]) -> Piece:
    called = Called(**{name: value for name, value in record.items() if name != "type"})
    piece = Piece("call", call_text(called.builtin, called.args), outcome_text(called), ok=called.ok)
    if called.result is None:
        return piece
    result = called.result
    shown = result if isinstance(result, str) else json.dumps(result, indent=1, ensure_ascii=False)
    return replace(piece, more=cut(shown, _RESULT))
