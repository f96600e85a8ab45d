"""punie logs: the list, search, show, export, delete."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from punie_cli import sessions
from punie_cli.holding import Hold
from punie_cli.store import session_file
from tests.command_line import Ran, program, punie

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")

pytestmark = pytest.mark.usefixtures("project")


def asked(prompt: str, *replies: str, root: str = ".") -> str:
    """The id of the session of one question."""
    ran = punie("ask", prompt, "--json", "--root", root, replies=replies)
    return json.loads(ran.stdout.splitlines()[0])["session"]


def listed(*args: str) -> list[str]:
    """The first cell of each row of `punie logs ARGS`."""
    ran = punie("logs", *args)
    assert ran.code == 0, ran
    return [line.split("\t")[0] for line in ran.stdout.splitlines()]


def test_nothing_yet() -> None:
    for args in (("logs", "--all"), ("logs", "-q", "cart", "--all")):
        assert (punie(*args).code, punie(*args).stdout) == (0, "")
    assert punie("logs") == Ran(0, "", "no session in this project; --all shows others\n")
    assert punie("logs", "--json") == Ran(0, "", "")
    assert not session_file().exists()
    assert punie("logs", "show", "last").code == 3
    assert punie("logs", "delete", "last", "--yes").code == 3


def test_the_last_used_first_of_this_project_or_of_all(project: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = asked("fix the cart", "Ok."), asked("fix\nthe tax", "Ok.")
    third = asked("elsewhere", "Ok.", root="../other")
    punie("exec", "-", stdin="print(1)")
    found = sessions.recent()
    assert listed() == [found[0].id, second, first]
    assert listed("-n", "1") == [found[0].id]
    assert listed("--all") == [found[0].id, third, second, first]
    assert listed("--root", "../other") == [third]
    assert [_TIME.sub("TIME", line) for line in punie("logs").stdout.splitlines()] == [
        f"{found[0].id}\tTIME\texec\tprint(1)",
        f"{second}\tTIME\t1\tfix the tax",
        f"{first}\tTIME\t1\tfix the cart",
    ]
    items = [json.loads(line) for line in punie("logs", "--json").stdout.splitlines()]
    assert [(item["id"], item["title"], item["turns"], item["root"]) for item in items] == [
        (found[0].id, "print(1)", 0, str(project)),
        (second, "fix the tax", 1, str(project)),
        (first, "fix the cart", 1, str(project)),
    ]


_SEARCHES = {
    "cart": "one", "CÀRT": "one", "tot": "two one", "sum_of": "two", "keyerror": "two", '"the cart"': "one",
    '"cart the"': "", "the cart nothing": "", "fix OR": "", "a.py:": "two", "'; drop table words": "",
}  # fmt: skip


def test_search(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    ids = {
        asked("total of the cart", "Ok."): "one",
        asked("fix it", program("sum_of = {}['total']"), "It is in a.py: fixed."): "two",
        asked("total of the cart", "Ok.", root="../other"): "elsewhere",
    }
    for text, hits in _SEARCHES.items():
        assert [ids[name] for name in listed("-q", text)] == hits.split(), text
    assert [ids[name] for name in listed("-q", "cart", "--all")] == ["elsewhere", "one"]
    for text in ("*", '""', ""):
        ran = punie("logs", "-q", text)
        assert (ran.code, ran.stdout) == (2, ""), text


def test_what_was_found_is_shown() -> None:
    asked("hi", " ".join(["before"] * 40) + " the needle\n\n" + " ".join(["behind"] * 40))
    (found,) = json.loads(f"[{punie('logs', '-q', 'need', '--json').stdout}]")
    assert found["found"] == f"…{'before ' * 5}the needle {'behind ' * 6}".rstrip() + "…"
    assert punie("logs", "-q", "hi").stdout.endswith("\thi\n")


def test_show_and_its_records() -> None:
    session = asked("run it", program("print(1)\n1 / 0"), "It fails.")
    shown = punie("logs", "show", session[:6]).stdout.splitlines()
    assert shown[1:] == [
        "", "turn 1", "> run it", "│ print(1)", "│ 1 / 0", "  1", "  ZeroDivisionError: division by zero", "It fails.",
    ]  # fmt: skip
    lines = punie("logs", "show", "last", "--json").stdout.splitlines()
    assert lines == sessions.lines(session)
    assert [json.loads(line)["type"] for line in lines] == [
        "session", "prompt", "usage", "program", "output", "usage", "answer",
    ]  # fmt: skip
    punie("exec", "-", stdin="print(2)")
    assert punie("logs", "show", "last").stdout.splitlines()[1:] == ["", "print(2)", "2"]


def test_a_start_that_is_not_the_only_one() -> None:
    session = asked("one", "Ok.")
    with closing(sqlite3.connect(session_file())) as store, store:
        for number in range(6):
            row = (f"{session[0]}{'0' * 6}{number}", "t", "ask", "0", "/", "t")
            store.execute(
                "INSERT INTO sessions (id, started, command, punie, root, updated) VALUES (?, ?, ?, ?, ?, ?)", row
            )
    ran = punie("logs", "show", session[0])
    assert (ran.code, ran.stderr.count(session[0] + "0" * 6), "and others" in ran.stderr) == (2, 6, True)
    assert punie("logs", "show", session).code == 0


def test_export(project: Path) -> None:
    session = asked("run it", program("print(chr(0xD800))"), "Done.")
    text = punie("logs", "export", session).stdout
    assert text.startswith(f"<!-- punie session {session} -->\n\n# run it\n") and text.endswith("\n\nDone.\n")
    assert punie("logs", "export", "last", "a.md") == Ran(0, "a.md\n", "")
    assert (project / "a.md").read_text() == text
    (project / "a.md").write_text("mine")
    assert punie("logs", "export", "last", "a.md").code == 2
    assert (project / "a.md").read_text() == "mine"


def test_delete() -> None:
    first, second = asked("one needle", "Ok."), asked("two needle", "Ok.")
    refused = punie("logs", "delete", first)
    assert refused == Ran(
        5, "", f"Error: {first} (one needle) is not deleted without a yes\nTry: punie logs delete {first} --yes\n"
    )
    hold = Hold(second)
    assert hold.take()
    assert punie("logs", "delete", first, second, "--yes") == Ran(
        75, "", f"Error: session {second} is open in another chat\nTry: try again when it has ended\n"
    )
    assert len(sessions.recent()) == 2
    hold.release()
    assert punie("logs", "delete", first[:7], first, "--yes") == Ran(0, f"deleted: {first}\n", "")
    assert listed() == listed("-q", "needle") == [second]
    with closing(sqlite3.connect(session_file())) as store:
        for table in ("records", "texts"):
            assert store.execute(f"SELECT DISTINCT session FROM {table}").fetchall() == [(second,)]
        assert store.execute("SELECT count(*) FROM words").fetchone() == (2,)
    data = session_file().read_bytes()
    assert (b"one needle" in data, b"two needle" in data) == (False, True)


def test_options_of_the_list_before_another_command() -> None:
    assert punie("logs", "--json", "show", "last").code == 2


def test_a_store_that_cannot_be_read() -> None:
    session_file().parent.mkdir(parents=True)
    session_file().write_text("no database, but long enough to be looked at " * 50)
    file = session_file()
    for args in (("logs",), ("logs", "-q", "a"), ("logs", "show", "abc"), ("chat", "-c")):
        ran = punie(*args)
        assert ran == Ran(
            1, "", f"Error: {file} cannot be used: file is not a database\nTry: mv {file} {file}.damaged\n"
        ), args
