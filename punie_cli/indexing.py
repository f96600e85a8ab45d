"""The words of sessions: what of a record can be searched for, and what an older store lacks.

What a person or a model wrote is searched, and what programs printed; long texts only by their beginning.
"""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

TITLE_CHARS = 120
OUTPUT_CHARS = 2000
# A whole file may come through stdin.
TEXT_CHARS = 20_000
# Types of records that have words, and where.
FIELDS = {"prompt": "text", "program": "code", "output": "text", "answer": "text"}
_BATCH = 50


def text_of(fields: dict[str, Any]) -> str:
    """What of a record can be searched for; empty for nothing."""
    kind = fields.get("type")
    text = fields.get(FIELDS.get(kind, "")) if isinstance(kind, str) else None
    if not isinstance(text, str):
        return ""
    text = text[: OUTPUT_CHARS if kind == "output" else TEXT_CHARS]
    error = fields.get("error")
    if kind == "output" and isinstance(error, dict):
        text = f"{text}\n{error.get('kind')}: {error.get('message')}"
    # SQLite cannot hold halves of surrogate pairs.
    return text.encode("utf-8", "replace").decode("utf-8")


def title_of(fields: dict[str, Any]) -> str:
    """The title that a session has from this record, on one line; empty if it gives none."""
    if fields.get("type") not in ("prompt", "program"):
        return ""
    words = " ".join(text_of(fields)[: TITLE_CHARS * 20].split())
    if len(words) > TITLE_CHARS:
        words = f"{words[: TITLE_CHARS - 1].rstrip()}…"
    return words or "(empty)"


def add_text(store: sqlite3.Connection, session: str, n: int, fields: dict[str, Any]) -> None:
    """Let a record be found; in the transaction that writes it."""
    if text := text_of(fields):
        made = store.execute("INSERT INTO texts (session, n) VALUES (?, ?)", (session, n))
        store.execute(
            "INSERT INTO words (rowid, text, project) SELECT ?, ?, lower(hex(root)) FROM sessions WHERE id = ?",
            (made.lastrowid, text, session),
        )


def forget(store: sqlite3.Connection, session: str) -> None:
    """Take the words of a session away; before it is deleted itself."""
    store.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM texts WHERE session = ?)", (session,))
    store.execute("DELETE FROM texts WHERE session = ?", (session,))


def fill(store: sqlite3.Connection, between: Callable[[], None] = lambda: None) -> None:
    """Index the sessions that an older punie wrote, some in each transaction: after a kill the next one goes on.

    Others may write between two batches. `between` is called there.
    """
    while store.execute("SELECT 1 FROM sessions WHERE updated IS NULL LIMIT 1").fetchone():
        store.execute("BEGIN IMMEDIATE")
        try:
            # Read under the lock: another process may have just done them.
            rows = store.execute(
                "SELECT id FROM sessions WHERE updated IS NULL ORDER BY started, rowid LIMIT ?", (_BATCH,)
            ).fetchall()
            for (session,) in rows:
                _fill_one(store, session)
            store.execute("COMMIT")
        except BaseException:
            if store.in_transaction:
                store.execute("ROLLBACK")
            raise
        between()


def _fill_one(store: sqlite3.Connection, session: str) -> None:
    title, turns = "", 0
    for n, turn, line in store.execute("SELECT n, turn, json FROM records WHERE session = ? ORDER BY n", (session,)):
        turns = max(turns, turn)
        try:
            fields = json.loads(line)
        except ValueError:
            # A damaged line is not found; the others are.
            continue
        if isinstance(fields, dict):
            title = title or title_of(fields)
            add_text(store, session, n, fields)
    store.execute("UPDATE sessions SET title = ?, turns = ?, updated = started WHERE id = ?", (title, turns, session))
