"""What was undone, in words, and as a diff."""

from collections.abc import Iterable
from pathlib import Path

from punie_cli.approvals import visible
from punie_cli.builtins.files import diff
from punie_cli.errors import PunieError
from punie_cli.journal import Journal
from punie_cli.session_text import when
from punie_cli.turns import ran_commands, turn_records
from punie_cli.undo import Change, ChangedSince, Done, path_in, take_back

COMMANDS_TOO = "that turn also ran commands or tests; what they changed is not taken back"


def diff_text(changes: Iterable[Change]) -> str:
    """A unified diff; of what is no text only that it differs."""
    return "".join(_one(change) for change in changes)


def done_text(done: Done, what: str, session: str | None = None) -> str:
    """One line: which turn, of when, and its files. `session` is the one that asks."""
    turn = f"turn {done.turn}" if done.turn else "the program"
    of = f" of session {done.session} ({when(done.at)})" if done.session != session else ""
    if not done.changes:
        return f"nothing was left to do for {turn}{of}: {_files(done.paths)}"
    removed = f"; removed {_files(done.removed)}" if done.removed else ""
    return f"{what} {turn}{of}: {_files(change.path for change in done.changes)}{removed}"


def undone(journal: Journal, path: str | None, *, dry: bool = False) -> Done:
    """`take_back` for `punie undo`; what a foreign change leaves to do is in the hint."""
    relative = path and path_in(journal, path, Path.cwd())
    try:
        return take_back(journal, None, relative, dry=dry)
    except ChangedSince as error:
        raise PunieError(error.message, f"punie undo {error.others[0]}" if error.others else None) from error


def lines(done: Done, what: str) -> list[tuple[str, str]]:
    """The diff and what was done, each line with its kind."""
    text = diff_text(done.changes)
    kinds = (("+++", "head"), ("---", "head"), ("@@", "hunk"), ("+", "added"), ("-", "removed"))
    shown = [(next((kind for start, kind in kinds if line.startswith(start)), ""), line) for line in text.splitlines()]
    shown.append(("", done_text(done, what)))
    if ran_commands(turn_records(done.session, done.turn)):
        shown.append(("soft", COMMANDS_TOO))
    return shown


def _one(change: Change) -> str:
    try:
        old, new = (None if data is None else data.decode() for data in (change.old, change.new))
    except UnicodeDecodeError:
        return f"{visible(change.path)} is no text; it differs\n"
    return diff(change.path, old, new)


def _files(paths: Iterable[str]) -> str:
    return ", ".join(visible(path) for path in paths)
