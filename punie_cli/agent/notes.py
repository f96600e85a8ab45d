"""AGENTS.md files and the text of `/system`: they become the tail, which stands before the first message.

Read are `AGENTS.md` of the user's configuration folder, of the workspace root, and of each folder from there down to
the one that punie was started in. They are text for the model: nothing in them can allow anything.
"""

import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from punie_cli import paths
from punie_cli.errors import UsageError

NAME = "AGENTS.md"
MAX_BYTES = 8192
# Of the context, for all of them together.
SHARE = 4

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True)
class Note:
    """One file as it was read; `cut` where it was longer than MAX_BYTES, `problem` where it is not read at all."""

    path: Path
    text: str
    cut: bool = False
    problem: str = ""


class Notes:
    """The notes of one conversation. `count` gives the tokens of a text, `context` those that the model holds.

    `tail` and `tokens` are as of the last `refresh`.
    """

    def __init__(self, files: Sequence[Path], root: Path, count: Callable[[str], int], context: int | None) -> None:
        self.system = ""
        self.tail: str | None = None
        self.tokens = 0
        self._files = tuple(files)
        self._root = root.resolve()
        self._count = count
        self._context = context
        self._read: tuple[Note, ...] = ()
        self._stamps: list[Stamp] | None = None
        self._left_out = 0
        self.refresh()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that have text."""
        return tuple(note.path for note in self._read if note.text)

    def refresh(self) -> str | None:
        """Read again what has changed; a line about it, None where all is as it was."""
        stamps = [_stamp(path) for path in self._files]
        if stamps == self._stamps:
            return None
        first, before = self._stamps is None, self.tail
        self._stamps = stamps
        self._read = tuple(note for path in self._files if (note := self._note(path)) is not None)
        self._compose()
        if first or self.tail == before:
            return None
        return f"{NAME} has changed: {self.summary or 'there is none now'}; the conversation is read again"

    def say(self, system: str) -> None:
        """Set the text of `/system`, empty for none. UsageError for one above the share of the context."""
        limit = self._limit
        if limit is not None and (tokens := self._count(system)) > limit:
            message = f"the text has {tokens} tokens, more than {limit}, a quarter of what the model holds"
            raise UsageError(message, "/system TEXT")
        self.system = system
        self._compose()

    def measure(self, count: Callable[[str], int], context: int | None) -> None:
        """Go on for another model."""
        self._count, self._context = count, context
        self._compose()

    @property
    def summary(self) -> str:
        """One line about the files: their tokens, and what is left out; empty without files."""
        found = [note for note in self._read if note.text]
        parts = []
        if found:
            number = "" if len(found) == 1 else f", {len(found)} files"
            parts.append(f"{self._file_tokens} tokens{number}")
        if self._left_out:
            parts.append(f"{self._left_out} more are left out: they may take a quarter of the context")
        parts += [f"of {self._name(note.path)} only the first {MAX_BYTES} bytes" for note in found if note.cut]
        parts += [f"{self._name(note.path)} is not read: {note.problem}" for note in self._read if note.problem]
        return "; ".join(parts)

    @property
    def cut(self) -> bool:
        """Whether something of the files is not in the tail."""
        return bool(self._left_out) or any(note.cut or note.problem for note in self._read)

    @property
    def _limit(self) -> int | None:
        return None if self._context is None else self._context // SHARE

    def _compose(self) -> None:
        text = "\n\n".join(note.text for note in self._read if note.text)
        whole = self._count(text) if text else 0
        room = None if self._limit is None else max(0, self._limit - (self._count(self.system) if self.system else 0))
        if room is not None and whole > room:
            text = _first_lines(text, self._count, room)
        self._file_tokens = self._count(text) if text else 0
        self._left_out = whole - self._file_tokens
        self.tail = "\n\n".join(part for part in (self.system, text) if part) or None
        self.tokens = self._count(self.tail) if self.tail else 0

    def _note(self, path: Path) -> Note | None:
        try:
            real = path.resolve()
            if path.parent != paths.config_dir() and not real.is_relative_to(self._root):
                # A link of a project could lead to any file of the person.
                return Note(path, "", problem="it leads out of the project") if path.is_file() else None
            if not stat.S_ISREG(real.stat().st_mode):
                return None
            with real.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return Note(path, "", problem=error.strerror or str(error))
        cut = len(data) > MAX_BYTES
        text = data[:MAX_BYTES].decode("utf-8", "ignore" if cut else "replace").replace("\r\n", "\n")
        if cut:
            text = text.rpartition("\n")[0] or text
        # The end of the tail is ours to say.
        return Note(path, text.replace("</context>", "<\\/context>").strip(), cut)

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else str(path)


def agents_files(root: Path, cwd: Path) -> list[Path]:
    """Where AGENTS.md files are looked for, in their order; without a look whether they are there."""
    root, cwd = root.resolve(), cwd.resolve()
    folders = [root]
    if cwd.is_relative_to(root):
        for part in cwd.relative_to(root).parts:
            folders.append(folders[-1] / part)
    return [paths.config_dir() / NAME, *(folder / NAME for folder in folders)]


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _first_lines(text: str, count: Callable[[str], int], room: int) -> str:
    """As many whole lines as fit into `room` tokens."""
    lines = text.split("\n")
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count("\n".join(lines[:middle])) <= room else (low, middle - 1)
    return "\n".join(lines[:low]).rstrip()
