"""The stored sessions: listed, searched, found by the start of their id, forked, deleted."""

import contextlib
import json
import os
import re
import sqlite3
import unicodedata
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from punie_cli import __version__, indexing
from punie_cli.errors import BusyError, MissingError, UsageError
from punie_cli.holding import Hold
from punie_cli.session import to_line
from punie_cli.store import changing, new_session_id, now, opened, session_file
from punie_cli.turns import Record

LIMIT = 20
LAST = "last"
_ID = re.compile(r"[0-9a-f]{1,8}")
_COLUMNS = (
    "id, title, turns, started, coalesce(updated, started), command, punie, model, adapter, prompt_hash, root, "
    "parent, parent_turn"
)
# As the index takes words: `_` parts them.
_WORD = re.compile(r"[^\W_]+")
# Shown before what was found, and behind it.
_CHARS_AROUND = 45


@dataclass(frozen=True)
class Session:
    """One row of `sessions`. `turns` are all that were asked; `found` is the text around what was searched for."""

    id: str
    title: str
    turns: int
    started: str
    updated: str
    command: str
    punie: str
    model: str | None
    adapter: str | None
    prompt_hash: str | None
    root: str
    parent: str | None
    parent_turn: int | None
    found: str = ""


@dataclass(frozen=True)
class Kept:
    """One record with its place in the session."""

    n: int
    turn: int
    fields: Record


def recent(root: Path | None = None, limit: int = LIMIT, *, talks: bool = False) -> list[Session]:
    """The sessions of a project, or of all, the last used first; with `talks` only those that have a turn."""
    where, values = _where(root, talks)
    with _reading() as store:
        if store is None:
            return []
        query = f"SELECT {_COLUMNS} FROM sessions {where} ORDER BY updated DESC, rowid DESC LIMIT ?"
        return [Session(*row) for row in store.execute(query, (*values, limit))]


def search(text: str, root: Path | None = None, limit: int = LIMIT, *, talks: bool = False) -> list[Session]:
    """Sessions with a prompt, program, output or answer that has all words of `text`, the newest text first.

    Words may be given by their beginning; what stands in double quotes must stand there so. Case and accents do not
    count. UsageError for a text without words.
    """
    asked = _asked(text)
    match = " ".join(f'"{words}"{"" if whole else "*"}' for words, whole in asked)
    if root is not None:
        match = f'text : ({match}) AND project : "{os.fsencode(root).hex()}"'
    query = (
        "SELECT texts.session, texts.id FROM words CROSS JOIN texts ON texts.id = words.rowid "
        "CROSS JOIN sessions ON sessions.id = texts.session "
        f"WHERE words MATCH ? {'AND turns > 0' if talks else ''} ORDER BY words.rowid DESC"
    )
    with _reading() as store:
        if store is None:
            return []
        found: dict[str, int] = {}
        # They come one by one, and mostly the first few are enough.
        with closing(store.execute(query, (match,))) as rows:
            for session, row in rows:
                found.setdefault(session, row)
                if len(found) == limit:
                    break
        return [_found(store, session, row, asked) for session, row in found.items()]


def find(name: str, root: Path) -> Session:
    """The session with this id, or the only one whose id begins so; `last` is the last used one of the project."""
    if name == LAST:
        found = recent(root, 1)
        if not found:
            raise MissingError(f"there is no session in {root} yet", "punie logs --all")
        return found[0]
    found = starting(name)
    if len(found) == 1:
        return found[0]
    if not found:
        raise MissingError(f"there is no session '{name}'", "punie logs --all")
    ids = ", ".join(session.id for session in found[:5])
    raise UsageError(
        f"'{name}' is the start of {ids}{' and others' if len(found) > 5 else ''}", f"punie logs show {ids[:8]}"
    )


def starting(name: str) -> list[Session]:
    """The sessions whose id begins so, at most six."""
    if not _ID.fullmatch(name):
        return []
    with _reading() as store:
        if store is None:
            return []
        query = f"SELECT {_COLUMNS} FROM sessions WHERE id >= ? AND id < ? ORDER BY id LIMIT 6"
        return [Session(*row) for row in store.execute(query, (name, f"{name}g"))]


def lines(session: str) -> list[str]:
    """The records of a session as `--json` prints them."""
    return [line for _, _, line in _rows(session)]


def records(session: str) -> list[Kept]:
    """The records of a session in their order; one that is damaged has the type `damaged`."""
    return [Kept(n, turn, _read(line)) for n, turn, line in _rows(session)]


def fork(session: str, turn: int, before: int | None = None) -> str:
    """A new session with the records of another up to now, or before the record `before`; its id.

    `turn` is the last turn of the conversation that it has.
    """
    new = new_session_id()
    with opened() as store, changing(store):
        rows = store.execute(
            "SELECT n, turn, step, type, json FROM records WHERE session = ? AND (? IS NULL OR n < ?) ORDER BY n",
            (session, before, before),
        ).fetchall()
        if not rows:
            raise MissingError(f"there is no session '{session}'", "punie logs --all")
        store.execute(
            "INSERT INTO sessions (id, started, command, punie, model, adapter, prompt_hash, root, title, turns, "
            "updated, parent, parent_turn, copied) SELECT ?, ?, 'chat', ?, model, adapter, prompt_hash, root, title, "
            "?, ?, id, ?, ? FROM sessions WHERE id = ?",
            (new, now(), __version__, max(row[1] for row in rows), now(), turn, len(rows), session),
        )
        for n, of_turn, step, kind, line in rows:
            fields, line = _renamed(line, new, step)
            store.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", (new, n, of_turn, step, kind, line))
            indexing.add_text(store, new, n, fields)
    return new


def delete(sessions: Sequence[str]) -> None:
    """Delete sessions with all their records; all, or none. BusyError where a process has one of them open."""
    holds: list[Hold] = []
    try:
        for session in sessions:
            holds.append(Hold(session))
            if not holds[-1].take():
                raise BusyError(f"session {session} is open in another chat", "try again when it has ended")
        with opened() as store:
            # What was deleted is not to stay in free pages of the file.
            store.execute("PRAGMA secure_delete = ON")
            with changing(store):
                for session in sessions:
                    indexing.forget(store, session)
                    store.execute("DELETE FROM sessions WHERE id = ?", (session,))
    finally:
        for hold in holds:
            hold.release()


def _rows(session: str) -> list[tuple[int, int, str]]:
    with _reading() as store:
        if store is None:
            return []
        query = "SELECT n, turn, json FROM records WHERE session = ? ORDER BY n"
        return store.execute(query, (session,)).fetchall()


def _read(line: str) -> Record:
    with contextlib.suppress(ValueError):
        fields = json.loads(line)
        if isinstance(fields, dict) and isinstance(fields.get("type"), str):
            return fields
    return {"type": "damaged"}


def _where(root: Path | None, talks: bool) -> tuple[str, tuple[str, ...]]:
    parts = [*(["root = ?"] if root else []), *(["turns > 0"] if talks else [])]
    return (f"WHERE {' AND '.join(parts)}" if parts else ""), ((str(root),) if root else ())


def _asked(text: str) -> list[tuple[str, bool]]:
    """What is searched for: words, each with whether it stands there so, or may go on."""
    parts = [(quoted or word, bool(quoted)) for quoted, word in re.findall(r'"([^"]*)"|([^\s"]+)', text)]
    # Without a letter or a digit it would match nothing.
    found = [part for part in parts if _WORD.search(part[0])]
    if not found:
        raise UsageError(f"'{text}' has no word to search for", "punie logs -q cart")
    return found


def _found(store: sqlite3.Connection, session: str, row: int, asked: Sequence[tuple[str, bool]]) -> Session:
    (text,) = store.execute("SELECT text FROM words WHERE rowid = ?", (row,)).fetchone()
    values = store.execute(f"SELECT {_COLUMNS} FROM sessions WHERE id = ?", (session,)).fetchone()
    return Session(*values, found=_around(" ".join(text.split()), [words for words, _ in asked]))


def _around(text: str, asked: Sequence[str]) -> str:
    """The part of a text around the first word that was searched for."""
    wanted = tuple(_folded(match[0]) for words in asked if (match := _WORD.search(words)))
    at = next((word.start() for word in _WORD.finditer(text) if _folded(word[0]).startswith(wanted)), 0)
    begin = max(0, at - _CHARS_AROUND)
    begin = text.find(" ", begin, at) + 1 if begin else 0
    end = begin + 2 * _CHARS_AROUND
    cut = text[begin:end].rpartition(" ")[0] or text[begin:end] if end < len(text) else text[begin:]
    return f"{'…' if begin else ''}{cut}{'…' if begin + len(cut) < len(text) else ''}"


def _folded(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).lower()


def _renamed(line: str, session: str, step: int) -> tuple[Record, str]:
    try:
        fields = json.loads(line)
        fields["session"] = session
    except (ValueError, TypeError):
        return {}, line
    return fields, to_line(fields, session, step)


@contextlib.contextmanager
def _reading() -> Generator[sqlite3.Connection | None]:
    """The store, None where there is none."""
    if not session_file().exists():
        yield None
        return
    with opened() as store:
        yield store
