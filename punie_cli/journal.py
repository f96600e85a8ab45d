"""The undo journal: what each file was before punie wrote it, by project, in one private SQLite file.

    journal = Journal(root, lambda: Place(recorder.session, recorder.turns, recorder.step))
    journal.replace("shop/cart.py", data)

An entry is on the disk before its file is replaced: after a crash between the two the file still is what the entry
says that it was. A journal that cannot be written never ends a turn: the file is written, and `warn` is told once.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
import stat
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock

from punie_cli import confine, paths
from punie_cli.databases import NewerFile, identity, trouble
from punie_cli.errors import BusyError, PunieError

MAX_ENTRIES = 1000
MAX_BYTES = 200 * 1024 * 1024
# Files above it are no text that a program could have read; their content is not kept.
KEEP_LIMIT = 16 * 1024 * 1024
_VERSION = 1
_BUSY_S = 10.0
_SYNCHRONOUS = "FULL"
_SCHEMA = (
    """CREATE TABLE writes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    root TEXT NOT NULL,     -- real path of the project
    session TEXT NOT NULL,
    turn INTEGER NOT NULL,
    step INTEGER NOT NULL,
    mark TEXT NOT NULL,     -- tells turns of the same number apart: one may go on in another process
    at TEXT NOT NULL,       -- UTC, ISO 8601
    path TEXT NOT NULL,     -- relative to the root, with /
    before TEXT,            -- SHA-256 of the content; NULL where there was no file
    after TEXT NOT NULL,
    mode INTEGER,           -- permission bits of the file before; of one that undo removed, those it then had
    folders TEXT NOT NULL,  -- JSON list: folders that were made for it, the outermost first
    undone INTEGER          -- number of the undo that took it back; NULL while it is in place
)""",
    "CREATE TABLE blobs (hash TEXT PRIMARY KEY, size INTEGER NOT NULL, data BLOB NOT NULL)",
    "CREATE INDEX writes_by_root ON writes(root, id)",
)


@dataclass(frozen=True)
class Place:
    """Where in a session something happens; `mark` tells turns of the same number apart."""

    session: str
    turn: int
    step: int
    mark: str = ""


@dataclass(frozen=True)
class Write:
    """One entry; `before` and `after` are hashes of contents, `before` None for a file that was new."""

    id: int
    session: str
    turn: int
    step: int
    mark: str
    at: str
    path: str
    before: str | None
    after: str
    mode: int | None
    folders: tuple[str, ...]
    undone: int | None

    def same_turn(self, other: "Write") -> bool:
        """Whether both were written in one turn."""
        return (self.session, self.turn, self.mark) == (other.session, other.turn, other.mark)


class Journal:
    """The entries of one project. Two processes may use it at once."""

    def __init__(
        self,
        root: Path,
        place: Callable[[], Place] = lambda: Place("", 0, 0),
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.root = Path(os.path.realpath(root))
        self.file = journal_file()
        self._place = place
        self._warn = warn
        self._warned = False
        self._db: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def replace(self, relative: str, data: bytes) -> None:
        """`confine.replace_bytes`, with what was there before kept."""
        with contextlib.ExitStack() as stack:
            kept: int | None = None
            problem: Exception | None = None
            try:
                stack.enter_context(self.locked())
                confine.remove_leftovers(self.root, relative)
                kept = self._keep(relative, data)
            except (OSError, ValueError, PunieError) as error:
                problem = error
            try:
                confine.replace_bytes(self.root, relative, data)
            except BaseException:
                if kept is not None and content(self.root, relative) != data:
                    self._forget(kept)
                raise
            if problem is not None and not self._warned:
                self._warned = True
                self._warn(f"/undo will not know of this write to {relative}: {problem}")

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Hold the project against writes and undos of other processes. BusyError after ten seconds."""
        lock = self.file.parent / f".{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]}.lock"
        held = filelock.FileLock(lock, timeout=_BUSY_S, poll_interval=0.01)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            held.acquire()
        except filelock.Timeout:
            raise BusyError(f"another punie process is writing in {self.root}", "try again when it has ended") from None
        except OSError as error:
            raise trouble(self.file, error) from error
        try:
            yield
        finally:
            held.release()

    def writes(self, where: str = "1", values: Sequence[object] = ()) -> list[Write]:
        """Entries of this project in their order; `where` is SQL over the columns."""
        if not self.file.exists():
            return []
        names = "id, session, turn, step, mark, at, path, before, after, mode, folders, undone"
        with self._open() as db:
            rows = db.execute(
                f"SELECT {names} FROM writes WHERE root = ? AND ({where}) ORDER BY id", (str(self.root), *values)
            ).fetchall()
        return [Write(*row[:10], tuple(json.loads(row[10])), row[11]) for row in rows]

    def blob(self, digest: str | None) -> bytes | None:
        """A content by its hash; None for that of no file."""
        if digest is None:
            return None
        with self._open() as db:
            row = db.execute("SELECT data FROM blobs WHERE hash = ?", (digest,)).fetchone()
        if row is None or hashlib.sha256(row[0]).hexdigest() != digest:
            raise trouble(self.file, ValueError("the undo journal is damaged"))
        return bytes(row[0])

    def mark(self, ids: Sequence[int], *, undone: bool, modes: dict[int, int] | None = None) -> None:
        """Say of entries that they were taken back together, or are in place again."""
        marks = ", ".join("?" * len(ids))
        with self._open() as db:
            (last,) = db.execute("SELECT coalesce(max(undone), 0) FROM writes").fetchone()
            db.execute(f"UPDATE writes SET undone = ? WHERE id IN ({marks})", (last + 1 if undone else None, *ids))
            for entry, mode in (modes or {}).items():
                db.execute("UPDATE writes SET mode = ? WHERE id = ?", (mode, entry))

    def _keep(self, relative: str, data: bytes) -> int:
        place, status = self._place(), confine.status(self.root, relative)
        before = None if status is None else confine.read_bytes(self.root, relative, KEEP_LIMIT)
        contents = {digest(each): each for each in (before, data) if each is not None}
        row = (
            str(self.root),
            place.session,
            place.turn,
            place.step,
            place.mark,
            datetime.now(UTC).isoformat(timespec="seconds"),
            relative,
            None if before is None else digest(before),
            digest(data),
            None if status is None else stat.S_IMODE(status.st_mode),
            json.dumps(_missing_folders(self.root, relative)),
        )
        with self._open() as db:
            # What was taken back cannot be put back over a newer text.
            dead = db.execute(
                "DELETE FROM writes WHERE undone IN "
                "(SELECT undone FROM writes WHERE root = ? AND path = ? AND undone IS NOT NULL)",
                (str(self.root), relative),
            )
            if dead.rowcount:
                _sweep(db)
            for name, text in contents.items():
                db.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)", (name, len(text), text))
            kept = db.execute(
                "INSERT INTO writes (root, session, turn, step, mark, at, path, before, after, mode, folders) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid
            self._prune(db, place.session)
        assert kept is not None
        return kept

    def _forget(self, kept: int) -> None:
        with contextlib.suppress(PunieError), self._open() as db:
            db.execute("DELETE FROM writes WHERE id = ?", (kept,))

    def _prune(self, db: sqlite3.Connection, session: str) -> None:
        """Drop the oldest turns beyond the bounds, whole, but never those of this session."""
        while True:
            (count,) = db.execute("SELECT count(*) FROM writes WHERE root = ?", (str(self.root),)).fetchone()
            (size,) = db.execute("SELECT coalesce(sum(size), 0) FROM blobs").fetchone()
            if count <= MAX_ENTRIES and size <= MAX_BYTES:
                return
            oldest = db.execute(
                "SELECT root, session, turn, mark FROM writes WHERE session != ? AND (? OR root = ?) "
                "ORDER BY id LIMIT 1",
                (session, count <= MAX_ENTRIES, str(self.root)),
            ).fetchone()
            if oldest is None:
                return
            db.execute("DELETE FROM writes WHERE root = ? AND session = ? AND turn = ? AND mark = ?", oldest)
            _sweep(db)

    @contextlib.contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        """One transaction on the file, which is made where it is missing. PunieError where the file fails."""
        try:
            db = self._connected()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                # A full disk has ended the transaction already.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            self.close()
            raise trouble(self.file, error) from error

    def _connected(self) -> sqlite3.Connection:
        # Else an entry would go into a file that nobody finds again.
        if self._db is not None and identity(self.file) != self._opened:
            self.close()
        if self._db is None:
            try:
                self._db = _connect(self.file)
            except OSError as error:
                raise trouble(self.file, error) from error
            self._opened = identity(self.file)
        return self._db


def journal_file() -> Path:
    """Where the journal of all projects is kept."""
    return paths.data_dir() / "undo" / "journal.db"


def digest(data: bytes) -> str:
    """The name of a content."""
    return hashlib.sha256(data).hexdigest()


def content(root: Path, relative: str) -> bytes | None:
    """What a regular file holds; None where there is none that can be read."""
    try:
        return confine.read_bytes(root, relative, KEEP_LIMIT)
    except (OSError, ValueError):
        return None


def _connect(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None)
    try:
        db.execute("PRAGMA auto_vacuum = FULL")
        db.execute(f"PRAGMA synchronous = {_SYNCHRONOUS}")
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise NewerFile(f"a newer punie made it (version {version})")
        if version < _VERSION:
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _sweep(db: sqlite3.Connection) -> None:
    db.execute(
        "DELETE FROM blobs WHERE hash NOT IN "
        "(SELECT after FROM writes UNION SELECT before FROM writes WHERE before IS NOT NULL)"
    )


def _missing_folders(root: Path, relative: str) -> list[str]:
    parts = relative.split("/")[:-1]
    folders = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    return [folder for folder in folders if not os.path.lexists(root / folder)]
