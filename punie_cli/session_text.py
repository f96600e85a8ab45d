"""Sessions as rows, lines and Markdown, without style; `render` prints them."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from punie_cli.errors import PunieError, UsageError
from punie_cli.listings import Listing
from punie_cli.sessions import Session
from punie_cli.turns import Record

if TYPE_CHECKING:
    from punie_cli.recall import Recalled, Turn

MARK = "<!-- punie session"
_ENDS = {
    "stopped": "(stopped)",
    "failed": "(ended in an error)",
    "cut off": "(punie was ended in this turn)",
}
_FINISHES = {
    "length": "(cut short at its limit of tokens)",
    "steps": "(cut short at the limit of steps)",
    "loop": "(cut short: the same program with the same output twice)",
}


def when(stamp: str) -> str:
    """A time of the store as people read it, in their zone."""
    try:
        return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return stamp


def turns_text(count: int) -> str:
    """`1 turn`, `2 turns`."""
    return f"{count} turn{'' if count == 1 else 's'}"


def listing(found: Sequence[Session], *, roots: bool = False, empty: str = "") -> Listing:
    """Sessions as a table: what they were about, or what was found in them; with `roots` also where."""
    head = ("session", "last used", "turns", *(["folder"] if roots else []), "about")
    rows: list[tuple[str, ...]] = [
        (
            session.id,
            when(session.updated),
            str(session.turns) if session.command != "exec" else "exec",
            *([session.root] if roots else []),
            about(session),
        )
        for session in found
    ]
    return Listing(head, rows, [asdict(session) for session in found], empty)


def about(session: Session) -> str:
    """What a session is about, on one line; a fork says of what."""
    parent = f" (fork of {session.parent})" if session.parent else ""
    found = f": {session.found}" if session.found and session.found != session.title else ""
    return f"{session.title}{parent}{found}"


def lines(session: Session, recalled: "Recalled") -> list[tuple[str, str]]:
    """A session to be read in the terminal: each line with its kind."""
    found = [("title", _head(session, recalled))]
    for turn in recalled.turns:
        dropped = ", taken back by /rewind" if turn.dropped else ""
        found += [("", ""), ("soft", f"turn {turn.number}{dropped}")]
        for kind, text in _parts(turn.records):
            mark = {"prompt": "> ", "program": "│ ", "output": "  "}.get(kind, "")
            found += [(kind, f"{mark}{line}") for line in text.split("\n")]
        if turn.state in _ENDS:
            found.append(("soft", _ENDS[turn.state]))
    if not recalled.turns:
        found += [("", "")] + [(kind, line) for kind, text in _parts(recalled.loose) for line in text.split("\n")]
    return found


def markdown(session: Session, recalled: "Recalled") -> str:
    """The conversation as Markdown; turns that a rewind took back are left out, and counted."""
    parts = [f"{MARK} {session.id} -->", f"# {_inline(session.title) or session.id}", _head(session, recalled)]
    for turn in recalled.turns:
        if not turn.dropped:
            parts += _section(turn)
    parts += [_block(kind, text) for kind, text in _parts(recalled.loose)] if not recalled.turns else []
    if dropped := sum(turn.dropped for turn in recalled.turns):
        parts.append(f"({turns_text(dropped)} taken back by /rewind: left out)")
    # What half of a surrogate pair stands for is not known.
    return "\n\n".join([*parts, ""]).encode("utf-8", "replace").decode("utf-8").removesuffix("\n")


def write(text: str, file: Path) -> Path:
    """Write an export; a file that is none is never replaced."""
    place = file.expanduser()
    try:
        if place.exists() and not place.read_text(encoding="utf-8", errors="replace").startswith(MARK):
            raise UsageError(f"{place} is there already, and no export of a session", "/export other.md")
        place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PunieError(f"{place} cannot be written: {error.strerror or error}") from error
    return place


def _section(turn: "Turn") -> list[str]:
    parts = [f"## Turn {turn.number}"]
    parts += [_block(kind, text) for kind, text in _parts(turn.records)]
    return [*parts, *([_ENDS[turn.state]] if turn.state in _ENDS else [])]


def _head(session: Session, recalled: "Recalled") -> str:
    answered = f"{session.model}, adapter {session.adapter or 'none'}" if session.model else "no model"
    parts = [f"session {session.id}", when(session.started), answered, session.root]
    if session.parent:
        parts.append(f"fork of {session.parent} at turn {session.parent_turn}")
    return "; ".join(parts)


def _parts(records: Sequence[Record]) -> list[tuple[str, str]]:
    """What there is to read in these records, each with its kind."""
    from punie_cli.event_text import call_text

    found: list[tuple[str, str]] = []
    for fields in records:
        match fields:
            case {"type": "prompt", "text": str(text)}:
                found.append(("prompt", text))
            case {"type": "program", "code": str(code)}:
                found.append(("program", code.rstrip("\n")))
            case {"type": "call", "builtin": str(name), "args": dict(args)}:
                failed = "" if fields.get("ok") else " failed"
                found.append(("call", f"• {call_text(name, args)}{failed}"))
            case {"type": "output"}:
                found.append(("output", _output(fields)))
            case {"type": "answer", "text": str(text)} if fields.get("finish") != "cancelled":
                note = _FINISHES.get(fields.get("finish", ""))
                found.append(("answer", text.rstrip("\n") + (f"\n{note}" if note else "")))
            case {"type": "error"}:
                found.append(("bad", f"Error: {fields.get('message')}"))
            case {"type": "verdict", "verdict": str(verdict)}:
                why = f": {fields['why']}" if fields.get("why") else ""
                found.append(("soft", f"verdict: {verdict}{why}"))
    return found


def _output(fields: Record) -> str:
    text, error = str(fields.get("text", "")).rstrip("\n"), fields.get("error")
    said = f"{error.get('kind')}: {error.get('message')}" if isinstance(error, dict) else ""
    return "\n".join(part for part in (text, said) if part) or "(no output)"


def _block(kind: str, text: str) -> str:
    if kind == "prompt":
        return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
    if kind in ("program", "output"):
        longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
        fence = "`" * (longest + 1)
        return f"{fence}{'python' if kind == 'program' else 'text'}\n{text}\n{fence}"
    if kind == "call":
        return f"`` {text.removeprefix('• ')} ``" if "`" in text else f"`{text.removeprefix('• ')}`"
    return text


def _inline(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", text)
