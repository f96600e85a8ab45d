"""What is wrong with a SQLite file of punie's own, in words, with what mends it."""

import os
import sqlite3
from pathlib import Path

from punie_cli.errors import BusyError, PunieError

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# The file must go: it is damaged, no database, or one of something else (a table or column is missing).
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}


class NewerFile(sqlite3.DatabaseError):
    """A later version of punie made it."""


def trouble(file: Path, error: sqlite3.Error | OSError | ValueError, failing: str = "used") -> PunieError:
    """The error to raise: `FILE cannot be FAILING: …`; BusyError where another process holds the file."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if isinstance(error, sqlite3.Error) and code in _BUSY:
        return BusyError(f"{file} is locked by another process", "try again when it has ended")
    hint = "punie doctor"
    if isinstance(error, ValueError) or (
        isinstance(error, sqlite3.Error) and code in _DAMAGED and not isinstance(error, NewerFile)
    ):
        hint = f"mv {file} {file}.damaged"
    elif code == sqlite3.SQLITE_FULL:
        hint = "df -h"
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    return PunieError(f"{file} cannot be {failing}: {reason}", hint)


def identity(file: Path) -> tuple[int, int] | None:
    """Tells a file from another that took its name; None for no file."""
    try:
        status = os.stat(file)  # noqa: PTH116  (once for each record)
    except OSError:
        return None
    return status.st_dev, status.st_ino
