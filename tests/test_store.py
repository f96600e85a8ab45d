"""The session store: rows, privacy, and everything that may be wrong with the file."""

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from punie_cli.agent.events import Answered, Called, Delta, Output, Program, Prompted, Started, Used
from punie_cli.engine.base import Usage
from punie_cli.session import Recorder, to_line
from punie_cli.store import Store, open_store, session_file

STARTED = Started("model", "adapter", "abc", "/project")


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute(sql).fetchall()


def test_steps_count_within_a_turn() -> None:
    lines: list[str] = []
    recorder = Recorder("chat", Store(), lines.append)
    for event in (
        STARTED, Prompted("a"), Delta("x"), Used(Usage()), Program("p"), Output("", None, False), Used(Usage()),
        Answered("b", "stop"), Prompted("c"), Used(Usage()), Answered("d", "stop"),
    ):  # fmt: skip
        recorder.note(event)
    recorder.close()
    found = rows(session_file(), "SELECT n, turn, step, type FROM records ORDER BY n")
    assert found == [
        (0, 0, 0, "session"),
        (1, 1, 0, "prompt"),
        (2, 1, 1, "usage"),
        (3, 1, 1, "program"),
        (4, 1, 1, "output"),
        (5, 1, 2, "usage"),
        (6, 1, 2, "answer"),
        (7, 2, 0, "prompt"),
        (8, 2, 1, "usage"),
        (9, 2, 1, "answer"),
    ]
    assert [row[0] for row in rows(session_file(), "SELECT json FROM records ORDER BY n")] == lines


def test_a_program_without_a_model_is_step_1() -> None:
    recorder = Recorder("exec", Store())
    recorder.note(Started(None, None, None, "/"))
    recorder.note(Program("p"))
    recorder.note(Output("", None, False))
    recorder.close()
    assert rows(session_file(), "SELECT step, type FROM records") == [(0, "session"), (1, "program"), (1, "output")]


def test_restart_is_another_session() -> None:
    recorder = Recorder("chat", Store())
    first = recorder.session
    for _ in range(2):
        recorder.note(STARTED)
        recorder.note(Prompted("a"))
        recorder.restart()
    assert recorder.begun is False
    assert rows(session_file(), "SELECT count(*), count(DISTINCT session) FROM records") == [(4, 2)]
    assert (
        rows(session_file(), "SELECT model, adapter, prompt_hash, root FROM sessions")
        == [("model", "adapter", "abc", "/project")] * 2
    )
    assert len(first) == 8 and int(first, 16) >= 0


def test_lines_hold_what_programs_pass() -> None:
    args = {"a": float("nan"), "b": {1: ("x", None)}, "c": "\ud800 é"}
    recorded = Called("typecheck", args, True, None, None, 0.0)
    lines: list[str] = []
    recorder = Recorder("ask", Store(), lines.append)
    recorder.note(STARTED)
    recorder.note(recorded)
    tail = '"args": {"a": "nan", "b": {"1": ["x", null]}, "c": "\\ud800 \\u00e9"}, "ok": true, "result": null, '
    assert lines[1].partition('"builtin": "typecheck", ')[2] == tail + '"error": null, "seconds": 0.0}'
    assert to_line({"type": "prompt", "text": "é"}, "s", 0) == (
        '{"type": "prompt", "session": "s", "step": 0, "text": "é"}'
    )


def test_the_file_is_private_and_versioned() -> None:
    store = Store()
    store.add_session({"id": "a", "started": "t", "command": "ask", "punie": "0", "root": "/"})
    assert stat.S_IMODE(session_file().stat().st_mode) == 0o600
    assert rows(session_file(), "PRAGMA user_version") == [(4,)]
    assert rows(session_file(), "PRAGMA journal_mode") == [("wal",)]
    store.close()
    store.close()


def broken(path: Path) -> str:
    path.write_bytes(b"this is no database, whatever its name says about it " * 40)
    return "file is not a database"


def newer(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    return "a newer punie made it (version 99)"


def a_folder(path: Path) -> str:
    path.mkdir()
    return f"[Errno 21] Is a directory: '{path}'"


def foreign(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE sessions (other)")
        connection.execute("PRAGMA user_version = 4")
    return "no such column: updated"


@pytest.mark.parametrize("spoil", [broken, newer, a_folder, foreign])
def test_a_file_that_fails_warns_once(spoil, tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    reason = spoil(path)
    warnings: list[str] = []
    store = Store(path, warnings.append)
    recorder = Recorder("ask", store)
    for event in (STARTED, Prompted("a"), Answered("b", "stop")):
        recorder.note(event)
    recorder.close()
    assert warnings == [f"this session is not stored: {path}: {reason}"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    warnings: list[str] = []
    Recorder("ask", Store(tmp_path / "sessions.db", warnings.append)).note(STARTED)
    tmp_path.chmod(0o700)
    assert len(warnings) == 1


def test_a_locked_file_warns_once(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    other = open_store(path)
    other.execute("BEGIN EXCLUSIVE")
    warnings: list[str] = []
    recorder = Recorder("ask", Store(path, warnings.append))
    recorder.note(STARTED)
    recorder.note(Prompted("a"))
    other.close()
    assert warnings == [f"this session is not stored: {path}: database is locked"]


def test_two_writers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    warnings: list[str] = []

    def write() -> None:
        recorder = Recorder("ask", Store(path, warnings.append))
        recorder.note(STARTED)
        for n in range(20):
            recorder.note(Prompted(str(n)))
        recorder.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings == []
    assert rows(path, "SELECT count(*) FROM records") == [(84,)]
