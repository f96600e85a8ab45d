"""Earlier messages, in one private file for each project."""

import contextlib
import datetime
import hashlib
import os
from pathlib import Path

from prompt_toolkit.history import FileHistory

from punie_cli import paths

# What is read at the start: the end of the file, some ten thousand messages.
_MAX_BYTES = 4_000_000


class History(FileHistory):
    """Messages in a private file; one that starts with a space is not kept. A file that fails is left alone.

    The format is that of prompt-toolkit: lines of a message begin with `+`. What is no such line is passed over.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    def load_history_strings(self) -> list[str]:
        """The messages, the newest first."""
        try:
            with self._path.open("rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - _MAX_BYTES)
                file.seek(start)
                data = file.read()
        except OSError:
            return []
        lines = data.decode("utf-8", "replace").split("\n")
        if start:
            # A message whose beginning is not read is none: go on behind its end, and the first line is half.
            del lines[0]
            while lines and lines[0].startswith("+"):
                del lines[0]
        messages: list[list[str]] = [[]]
        for line in lines:
            if line.startswith("+"):
                messages[-1].append(line[1:])
            elif messages[-1]:
                messages.append([])
        return ["\n".join(message) for message in reversed(messages) if message]

    def store_string(self, string: str) -> None:
        """Append a message in one write: chats in the same project do not tear each other's apart."""
        if string.startswith(" "):
            return
        lines = [f"\n# {datetime.datetime.now()}", *(f"+{line}" for line in string.split("\n")), ""]
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(file, "\n".join(lines).encode("utf-8", "replace"))
            finally:
                os.close(file)


def history_file(root: Path) -> Path:
    """The history of one project."""
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return paths.state_dir() / "history" / name
