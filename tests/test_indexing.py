"""The index of sessions: what is kept with each record, and stores of older versions."""

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from punie_cli import indexing, store
from punie_cli.agent.events import Answered, Output, Program, Prompted, Started
from punie_cli.session import Recorder, to_line
from punie_cli.store import Store, open_store, session_file

STARTED = Started("model", None, "abc", "/project")


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def older(path: Path, version: int, sessions: int = 3) -> list[tuple[object, ...]]:
    """A store as an older punie made it; returns all of its records."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for migration in store._MIGRATIONS[:version]:
            for statement in migration:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("BEGIN")
        for number in range(sessions if version else 0):
            name = f"{number:08x}"
            row = (
                name,
                f"2026-01-01T00:{number // 60:02}:{number % 60:02}+00:00",
                "chat",
                "0.1.0",
                "m",
                None,
                "h",
                "/p",
            )
            names = "id, started, command, punie, model, adapter, prompt_hash, root"
            db.execute(f"INSERT INTO sessions ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            for n, (turn, fields) in enumerate(
                [
                    (0, {"type": "session", "version": 1}),
                    (1, {"type": "prompt", "text": f"what is\n number{number}?"}),
                    (1, {"type": "program", "code": "print(1)"}),
                    (1, {"type": "output", "text": "\ud8001", "error": {"kind": "KeyError", "message": "'lost'"}}),
                    (1, {"type": "answer", "text": "One."}),
                    (2, {"type": "prompt", "text": "and now"}),
                ]
            ):
                line = to_line(fields, name, 0)
                db.execute("INSERT INTO records VALUES (?, ?, ?, 0, ?, ?)", (name, n, turn, fields["type"], line))
            db.execute("INSERT INTO records VALUES (?, 6, 2, 0, 'answer', '{\"type\": damaged')", (name,))
        if version >= 2:
            db.execute("INSERT INTO evals VALUES (7, 'k', 't', NULL, '{}')")
        if version == 3:
            # What that version keeps with each record, here for the text that is looked for.
            for number in range(sessions):
                name = f"{number:08x}"
                text = f"what is number{number}?"
                db.execute("UPDATE sessions SET title = ?, turns = 2, updated = started WHERE id = ?", (text, name))
                for n, words in ((1, text), (3, "lost")):
                    made = db.execute("INSERT INTO texts (session, n) VALUES (?, ?)", (name, n))
                    db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (made.lastrowid, words))
        db.execute("COMMIT")
        return db.execute("SELECT * FROM records").fetchall() if version else []


@pytest.mark.parametrize("version", range(len(store._MIGRATIONS) + 1))
def test_a_store_of_an_older_version(version: int, tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    if version == len(store._MIGRATIONS):
        open_store(path).close()
        assert rows(path, "SELECT count(*) FROM records") == [(0,)]
        return
    before = older(path, version)
    open_store(path).close()
    assert rows(path, "PRAGMA user_version") == [(len(store._MIGRATIONS),)]
    assert rows(path, "SELECT * FROM records") == before
    count = 3 if version else 0
    assert rows(path, "SELECT title, turns, updated = started, parent, copied FROM sessions ORDER BY id") == [
        (f"what is number{n}?", 2, 1, None, 0) for n in range(count)
    ]
    assert rows(path, "SELECT number FROM evals") == ([(7,)] if version >= 2 else [])
    found = rows(
        path,
        "SELECT session, n FROM words JOIN texts ON id = words.rowid "
        f"WHERE words MATCH '(number1 OR lost) AND project : {b'/p'.hex()}'",
    )
    assert sorted(found) == sorted([("00000001", 1), *((f"{n:08x}", 3) for n in range(3))] if count else [])


def test_a_kill_between_batches_leaves_what_was_done(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    older(path, 2, 120)

    class Killed(Exception):
        pass

    def killed() -> None:
        raise Killed

    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        store._migrate(db)
        with pytest.raises(Killed):
            indexing.fill(db, killed)
    assert rows(path, "SELECT count(*) FROM sessions WHERE updated IS NULL") == [(70,)]
    open_store(path).close()
    assert rows(path, "SELECT count(*) FROM sessions WHERE updated IS NULL") == [(0,)]
    # Each record once, those of the newest session last.
    assert rows(path, "SELECT count(*), count(DISTINCT session || n) FROM texts") == [(600, 600)]
    assert rows(path, "SELECT count(*) FROM words") == [(600,)]
    assert rows(path, "SELECT session FROM texts ORDER BY id DESC LIMIT 1") == [(f"{119:08x}",)]


def test_two_processes_that_fill_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    older(path, 1, 200)
    threads = [threading.Thread(target=lambda: open_store(path).close()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(path, "SELECT count(*), count(DISTINCT session || n) FROM texts") == [(1000, 1000)]


def test_what_is_kept_with_each_record() -> None:
    recorder = Recorder("chat", Store())
    for event in (
        STARTED,
        Prompted("  fix\n the   cart\ud800 " + "x" * 200),
        Program("print(tax)"),
        Output("y" * 3000 + " unseen", {"kind": "KeyError", "message": "'lost'"}, False),
        Answered("Done.", "stop"),
        Prompted("second"),
    ):
        recorder.note(event)
    recorder.close()
    ((title, turns, later),) = rows(session_file(), "SELECT title, turns, updated > started FROM sessions")
    assert (title, turns, later) == (f"fix the cart? {'x' * 105}…", 2, 1)
    kept = [text for (text,) in rows(session_file(), "SELECT text FROM words ORDER BY rowid")]
    assert kept[1:] == ["print(tax)", "y" * 2000 + "\nKeyError: 'lost'", "Done.", "second"]
    assert rows(session_file(), "SELECT n FROM texts ORDER BY id") == [(1,), (2,), (3,), (4,), (5,)]


def test_a_record_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    warnings: list[str] = []
    recorder = Recorder("chat", Store(tmp_path / "sessions.db", warnings.append))
    recorder.note(STARTED)
    with closing(sqlite3.connect(tmp_path / "sessions.db")) as db:
        db.execute("DROP TABLE words")
    recorder.note(Prompted("a"))
    assert warnings == [f"this session is not stored: {tmp_path / 'sessions.db'}: no such table: words"]
    assert rows(tmp_path / "sessions.db", "SELECT type, title FROM records, sessions") == [("session", "")]


def test_records_that_have_no_words() -> None:
    for fields in ({"type": "usage"}, {"type": "prompt"}, {"type": "prompt", "text": 1}, {}, {"type": ["prompt"]}):
        assert (indexing.text_of(fields), indexing.title_of({"type": "usage", "text": "a"})) == ("", "")
    assert indexing.title_of({"type": "prompt", "text": " \n"}) == "(empty)"
    assert json.loads(to_line({"type": "prompt", "text": "a"}, None, 0))["text"] == "a"
