"""Takes back what punie wrote, and puts it back: whole turns or single files, and never over a foreign change.

    done = take_back(journal, session="7f3a90bc")

A file is touched only while it holds exactly what punie wrote. If one of a turn's files does not, none is touched.
An undo that was killed half-way is finished by the next one.
"""

import contextlib
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from punie_cli import confine
from punie_cli.errors import PunieError, UsageError
from punie_cli.journal import Journal, Write, content, digest


@dataclass(frozen=True)
class Change:
    """One file as it was, and as it is then; None for no file."""

    path: str
    old: bytes | None
    new: bytes | None


@dataclass(frozen=True)
class Done:
    """What was done with the writes of one turn. `changes` leaves out files that were so already."""

    session: str
    turn: int
    at: str
    paths: tuple[str, ...]
    changes: tuple[Change, ...]
    removed: tuple[str, ...] = ()
    """Folders that punie had made and that were empty."""


class ChangedSince(PunieError):
    """Files are not as punie left them; `others` of the same turn could be taken back one by one."""

    def __init__(self, problems: Sequence[str], others: Sequence[str], what: str) -> None:
        super().__init__(f"{'; '.join(problems)}; nothing was {what}")
        self.others = tuple(others)


def take_back(journal: Journal, session: str | None = None, path: str | None = None, *, dry: bool = False) -> Done:
    """Undo the last turn that wrote, or its part of one file.

    Turns of `session` come first, then the newest one of the project. `dry` only looks. Raises PunieError where there
    is nothing to undo, ChangedSince where a file has another content.
    """
    with journal.locked():
        entries = [write for write in journal.writes("undone IS NULL") if path in (None, write.path)]
        mine = [write for write in entries if write.session == session] or entries
        if not mine:
            raise PunieError(f"nothing to undo: punie wrote no file {_in(journal, path)}")
        last = mine[-1]
        turn = [write for write in mine if write.same_turn(last)]
        later = [write for write in entries if write.id > turn[0].id and write not in turn]
        steps = {name: _Step(writes, writes[0].before, writes[-1].after) for name, writes in _by_path(turn).items()}
        problems = {
            write.path: f"{write.path} was written again in turn {write.turn} of session {write.session}"
            for write in later
            if write.path in steps and write.id > steps[write.path].writes[-1].id
        }
        changes = _changes(journal, steps, problems, "taken back")
        removed: tuple[str, ...] = ()
        if not dry:
            modes = _modes(journal.root, steps)
            _apply(journal.root, changes, steps, "taken back")
            journal.mark([write.id for write in turn], undone=True, modes=modes)
            removed = _remove_folders(journal)
        return Done(last.session, last.turn, last.at, tuple(steps), changes, removed)


def put_back(journal: Journal, path: str | None = None) -> Done:
    """Redo what was undone last. Raises PunieError where nothing was, ChangedSince where a file has another content."""
    with journal.locked():
        entries = [write for write in journal.writes("undone IS NOT NULL") if path in (None, write.path)]
        if not entries:
            raise PunieError(f"nothing to redo: nothing was undone {_in(journal, path)}")
        newest = max(write.undone or 0 for write in entries)
        turn = [write for write in entries if write.undone == newest]
        steps = {name: _Step(writes, writes[-1].after, writes[0].before) for name, writes in _by_path(turn).items()}
        changes = _changes(journal, steps, {}, "put back")
        _apply(journal.root, changes, steps, "put back")
        journal.mark([write.id for write in turn], undone=False)
        return Done(turn[-1].session, turn[-1].turn, turn[-1].at, tuple(steps), changes)


def changes_of(journal: Journal, session: str, turn: int | None = None) -> list[Change]:
    """What a session changed: its files before its first write, and now. Of one turn: before it, and after it."""
    chosen = journal.writes("session = ? AND undone IS NULL", [session])
    if turn is not None:
        chosen = [write for write in chosen if write.turn == turn]
        chosen = [write for write in chosen if write.same_turn(chosen[-1])]
    found = []
    for path, writes in _by_path(chosen).items():
        now = content(journal.root, path) if turn is None else journal.blob(writes[-1].after)
        found.append(Change(path, journal.blob(writes[0].before), now))
    return [change for change in found if change.old != change.new]


def path_in(journal: Journal, path: str, folder: Path) -> str:
    """A path as the journal has it; a relative one counts from `folder`, as long as the journal has no such path.

    UsageError for one outside the project.
    """
    # The real place is the last thing to look at: a file may have become a link.
    if any(write.path == path for write in journal.writes()):
        return path
    try:
        return confine.resolve(journal.root, str(folder / path))
    except (OSError, ValueError) as error:
        raise UsageError(str(error), "punie undo --dry-run") from error


@dataclass(frozen=True)
class _Step:
    """The writes of one file, the hash that it is to have, and the hash that it must have now."""

    writes: list[Write]
    then: str | None
    now: str | None


def _changes(journal: Journal, steps: dict[str, _Step], problems: dict[str, str], what: str) -> tuple[Change, ...]:
    changes = []
    for path, step in steps.items():
        try:
            found = _found(journal.root, path)
        except (OSError, ValueError) as error:
            problems.setdefault(path, str(error))
            continue
        has = None if found is None else digest(found)
        if has == step.then:
            continue
        if has != step.now:
            problems.setdefault(path, f"{path} {'is gone' if found is None else 'has changed since'}")
        changes.append(Change(path, found, journal.blob(step.then)))
    if problems:
        raise ChangedSince(list(problems.values()), [path for path in steps if path not in problems], what)
    return tuple(changes)


def _found(root: Path, path: str) -> bytes | None:
    """The content of a file, None for nothing; OSError with words for what is no file."""
    status = confine.status(root, path)
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"{path} is a folder now")
    if stat.S_ISLNK(status.st_mode):
        raise PermissionError(f"{path} is a link now")
    return confine.read_bytes(root, path, max(status.st_size, 1))


def _apply(root: Path, changes: Sequence[Change], steps: dict[str, _Step], what: str) -> None:
    """All changes, or none: those that are done are taken back when one fails."""
    modes = _modes(root, steps)
    for path in steps:
        confine.remove_leftovers(root, path)
    for n, change in enumerate(changes):
        try:
            _set(root, change.path, change.new, steps[change.path].writes[0].mode)
        except OSError as error:
            for done in reversed(changes[: n + 1]):
                with contextlib.suppress(OSError):
                    if content(root, done.path) == done.new:
                        _set(root, done.path, done.old, modes.get(steps[done.path].writes[0].id))
            reason = error.strerror or str(error)
            raise PunieError(f"{change.path} cannot be written: {reason}; nothing was {what}") from error


def _set(root: Path, path: str, data: bytes | None, mode: int | None) -> None:
    if data is None:
        confine.remove(root, path)
    else:
        confine.replace_bytes(root, path, data, mode)


def _modes(root: Path, steps: dict[str, _Step]) -> dict[int, int]:
    """Permission bits of the files that will be removed, for the redo."""
    found = {}
    for path, step in steps.items():
        status = confine.status(root, path) if step.then is None else None
        if status is not None:
            found[step.writes[0].id] = stat.S_IMODE(status.st_mode)
    return found


def _remove_folders(journal: Journal) -> tuple[str, ...]:
    """Remove folders that were made for files that are gone again, the innermost first."""
    undone = journal.writes("undone IS NOT NULL AND folders != '[]'")
    owed = {folder for write in undone for folder in write.folders}
    return tuple(folder for folder in sorted(owed, reverse=True) if confine.remove_folder(journal.root, folder))


def _by_path(writes: Sequence[Write]) -> dict[str, list[Write]]:
    found: dict[str, list[Write]] = {}
    for write in writes:
        found.setdefault(write.path, []).append(write)
    return found


def _in(journal: Journal, path: str | None) -> str:
    return f"'{path}'" if path else f"in {journal.root}"
