"""The store of sessions and evaluations: one SQLite file, with every record as `--json` prints it.

    sqlite3 ~/.local/share/punie/sessions.db "select json from records where session = '7f3a90bc' order by n"

A store that is broken, locked, read-only or on a full disk never ends a turn: the session is then not kept, and
`warn` is told once.
"""

import contextlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from punie_cli import indexing, paths
from punie_cli.databases import NewerFile, identity, trouble

# Each entry brings a file from user_version = its index to the next; entries are never changed, only added.
_MIGRATIONS = (
    (
        """CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        started TEXT NOT NULL,  -- UTC, ISO 8601
        command TEXT NOT NULL,  -- ask, chat or exec
        punie TEXT NOT NULL,    -- version that wrote it
        model TEXT,
        adapter TEXT,
        prompt_hash TEXT,
        root TEXT NOT NULL
    )""",
        """CREATE TABLE records (
        session TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
        n INTEGER NOT NULL,     -- order within the session, from 0
        turn INTEGER NOT NULL,  -- 0 before the first prompt
        step INTEGER NOT NULL,  -- replies of the model in this turn so far
        type TEXT NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (session, n)
    ) WITHOUT ROWID""",
        "CREATE INDEX sessions_by_time ON sessions(started)",
    ),
    (
        """CREATE TABLE evals (
        number INTEGER PRIMARY KEY AUTOINCREMENT,  -- e0007 is number 7
        key TEXT NOT NULL,      -- hash of all that decides the result
        started TEXT NOT NULL,  -- UTC, ISO 8601
        finished TEXT,          -- NULL while cases are missing
        json TEXT NOT NULL      -- the run without its cases
    )""",
        """CREATE TABLE eval_cases (
        number INTEGER NOT NULL REFERENCES evals(number) ON DELETE CASCADE,
        n INTEGER NOT NULL,     -- order within the run, from 0
        json TEXT NOT NULL,     -- the case without its diff and its records
        diff TEXT NOT NULL,
        records TEXT NOT NULL,  -- JSON lines, as sessions have them
        PRIMARY KEY (number, n)
    ) WITHOUT ROWID""",
        "CREATE INDEX evals_by_key ON evals(key)",
    ),
    (
        "ALTER TABLE sessions ADD COLUMN title TEXT NOT NULL DEFAULT ''",  # the first prompt, on one line
        "ALTER TABLE sessions ADD COLUMN turns INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE sessions ADD COLUMN updated TEXT",  # UTC, ISO 8601; NULL until `indexing.fill` has seen it
        "ALTER TABLE sessions ADD COLUMN parent TEXT",  # the session that it is a fork of, which may be deleted
        "ALTER TABLE sessions ADD COLUMN parent_turn INTEGER",  # its last turn that the fork has
        "ALTER TABLE sessions ADD COLUMN copied INTEGER NOT NULL DEFAULT 0",  # records that are copies of its own
        "CREATE INDEX sessions_by_update ON sessions(updated)",
        "CREATE INDEX sessions_by_root ON sessions(root, updated)",
        """CREATE TABLE texts (
        id INTEGER PRIMARY KEY,  -- rowid in words; grows with time
        session TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
        n INTEGER NOT NULL
    )""",
        "CREATE INDEX texts_by_session ON texts(session)",
        "CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'unicode61 remove_diacritics 2')",
    ),
    (
        # A project is one more word of its texts: a common word need not be looked up in those of all others.
        "ALTER TABLE words RENAME TO words_before",
        "CREATE VIRTUAL TABLE words USING fts5(text, project, tokenize = 'unicode61 remove_diacritics 2')",
        """INSERT INTO words (rowid, text, project) SELECT texts.id, words_before.text, lower(hex(root))
        FROM words_before JOIN texts ON texts.id = words_before.rowid JOIN sessions ON sessions.id = session""",
        "DROP TABLE words_before",
    ),
)
# How long a writer waits for another process; one record takes below a millisecond.
_BUSY_S = 5.0


def session_file() -> Path:
    """Where sessions are kept."""
    return paths.data_dir() / "sessions.db"


def new_session_id() -> str:
    """Eight hexadecimal digits."""
    return secrets.token_hex(4)


class Store:
    """Writes sessions. Opens the file with the first row; after the first failure it does nothing more."""

    def __init__(self, path: Path | None = None, warn: Callable[[str], None] = lambda text: None) -> None:
        self.path = path or session_file()
        self._warn = warn
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._broken = False

    def add_session(self, row: dict[str, Any]) -> None:
        """Insert one row of `sessions`."""
        self._write(lambda store: _insert(store, "sessions", row | {"updated": now()}))

    def add_record(self, row: dict[str, Any]) -> None:
        """Insert one row of `records`; title, turns, time and words of its session follow in the same transaction."""
        self._write(lambda store: insert_record(store, row))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _write(self, change: Callable[[sqlite3.Connection], None]) -> None:
        if self._broken:
            return
        try:
            if self._connection is None:
                self._connection = open_store(self.path)
                self._opened = identity(self.path)
            elif identity(self.path) != self._opened:
                raise OSError("the file was taken away while it was open")
            with changing(self._connection):
                change(self._connection)
        except (sqlite3.Error, OSError, UnicodeError) as error:
            self._broken = True
            self.close()
            self._warn(f"this session is not stored: {self.path}: {error}")


def now() -> str:
    """The present time as the store writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def insert_record(store: sqlite3.Connection, row: dict[str, Any]) -> None:
    """A row of `records` with all that its session has of it; inside a transaction."""
    _insert(store, "records", row)
    fields = json.loads(row["json"]) if row["type"] in indexing.FIELDS else {}
    store.execute(
        "UPDATE sessions SET updated = ?, turns = max(turns, ?), "
        "title = CASE WHEN title = '' THEN ? ELSE title END WHERE id = ?",
        (now(), row["turn"], indexing.title_of(fields), row["session"]),
    )
    indexing.add_text(store, row["session"], row["n"], fields)


@contextlib.contextmanager
def changing(store: sqlite3.Connection) -> Generator[None]:
    """One transaction: all of it, or nothing."""
    store.execute("BEGIN IMMEDIATE")
    try:
        yield
        store.execute("COMMIT")
    except BaseException:
        # A full disk has ended the change already.
        if store.in_transaction:
            store.execute("ROLLBACK")
        raise


def _insert(store: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    store.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)


def open_store(path: Path) -> sqlite3.Connection:
    """Open the file, made and migrated where needed. Raises sqlite3.Error or OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Conversations are private: SQLite would make a file that everybody may read.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def opened(failing: str = "used") -> Generator[sqlite3.Connection]:
    """The store of this machine. PunieError, "cannot be FAILING", where it fails, or a record in it is damaged."""
    file = session_file()
    try:
        with contextlib.closing(open_store(file)) as store:
            yield store
    except (sqlite3.Error, OSError, json.JSONDecodeError) as error:
        raise trouble(file, error, failing) from error


def _prepare(connection: sqlite3.Connection) -> None:
    # SQLite's own wait does not cover the change to WAL: two processes that start at once on a new file may find it
    # locked at once.
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    # What was committed outlives the process, also after kill -9: the system has it. Only a loss of power may take the
    # last records, and it takes them whole.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    _migrate(connection)
    indexing.fill(connection)


def _migrate(connection: sqlite3.Connection) -> None:
    if _version(connection) == len(_MIGRATIONS):
        return
    # Two processes may start at once: the version is read again under the lock.
    with changing(connection):
        version = _version(connection)
        if version > len(_MIGRATIONS):
            raise NewerFile(f"a newer punie made it (version {version})")
        for migration in _MIGRATIONS[version:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]
