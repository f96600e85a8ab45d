"""Small files of punie's own: private, written whole or not at all, changed by one process at a time."""

import contextlib
import json
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from punie_cli.errors import BusyError, UsageError

_BUSY_S = 5.0


def read_json(file: Path) -> dict[str, Any]:
    """The object that a file holds, empty where there is no file. UsageError for one that is damaged."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}", f"mv {file} {file}.damaged") from error
    if not isinstance(value, dict):
        raise UsageError(f"{file} is not a JSON object", f"mv {file} {file}.damaged")
    return value


def update_json(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Replace the object in a file by what `change` makes of it; no other process writes between the two."""
    with locked(file):
        replace(file, json.dumps(change(read_json(file)), indent=1, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def locked(file: Path) -> Generator[None]:
    """Hold `file` against other processes of punie. BusyError after five seconds."""
    import filelock

    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with filelock.FileLock(file.parent / f".{file.name}.lock", timeout=_BUSY_S, poll_interval=0.01):
            yield
    except filelock.Timeout:
        raise BusyError(f"another punie process holds {file}", "try again when it has ended") from None


def replace(file: Path, text: str, mode: int = 0o600) -> None:
    """Write a text file as a whole. A link stays one, and what it points to is written; an old file keeps its mode."""
    place = Path(os.path.realpath(file))
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError):
        mode = place.stat().st_mode & 0o777
    temporary = place.with_name(f".{place.name}.{os.urandom(6).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
