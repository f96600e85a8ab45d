"""/undo, /redo and /diff in a talk, and `punie undo`: what they show, and what they leave in the store."""

import re
from pathlib import Path

import pytest

from punie_cli import journal
from tests.command_line import program, punie
from tests.talks import talk

WRITES = program("write_file('a.py', 'b\\n')\nwrite_file('new/c.py', 'c\\n')")
SHOWN = """\
--- a/a.py
+++ b/a.py
@@ -1 +1 @@
-b
+a
--- a/new/c.py
+++ /dev/null
@@ -1 +0,0 @@
-c
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(journal, "_SYNCHRONOUS", "OFF")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.py").write_text("a\n")
    monkeypatch.chdir(folder)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_undo_redo_and_diff(project: Path) -> None:
    async with talk(project, [WRITES, "Done."]) as chat:
        assert await chat.say("/diff") == "punie changed no file in this session\n"
        await chat.say("write")
        undone = await chat.say("/undo")
        assert undone == (
            f"{SHOWN}took back turn 1: a.py, new/c.py; removed new; /redo reverses it; the model is not told\n"
        )
        assert names(project) == ["a.py"]
        assert await chat.say("/diff") == "punie changed no file in this session\n"
        assert (await chat.say("/redo")).endswith(
            "put back turn 1: a.py, new/c.py; /undo reverses it; the model is not told\n"
        )
        changed = await chat.say("/diff")
        assert changed == await chat.say("/diff 1")
        assert [line for line in changed.splitlines() if line[0] in "+-"] == [
            "--- a/a.py", "+++ b/a.py", "-a", "+b", "--- /dev/null", "+++ b/new/c.py", "+c",
        ]  # fmt: skip
        assert await chat.say("/diff x") == "Error: 'x' is no number of a turn\nTry: /diff 2\n"
        session = chat.chat.recorder.session
        of = {"session": session, "turn": 1}
        assert chat.records("undo") == [
            {"type": "undo", "session": session, "step": 2, "what": what, "of": of, "paths": ["a.py", "new/c.py"]}
            for what in ("undo", "redo")
        ]


async def test_a_foreign_change_is_named_with_what_can_be_done(project: Path) -> None:
    async with talk(project, [WRITES, "Done."]) as chat:
        await chat.say("write")
        (project / "a.py").write_text("mine\n")
        assert await chat.say("/undo") == (
            "Error: a.py has changed since; nothing was taken back\nTry: /undo new/c.py\n"
        )
        assert (await chat.say("/undo ./new/c.py")).endswith(
            "took back turn 1: new/c.py; removed new; /redo reverses it; the model is not told\n"
        )
        assert (await chat.say("/undo")) == "Error: a.py has changed since; nothing was taken back\nTry: /diff\n"
        assert (project / "a.py").read_text() == "mine\n"
        assert await chat.say("/undo ../x") == (
            "Error: '" + str(project / "../x") + "' is outside the workspace\nTry: punie undo --dry-run\n"
        )


async def test_a_new_chat_undoes_what_an_older_one_wrote(project: Path) -> None:
    async with talk(project, [program("write_file('a.py', 'b\\n')\nrun_command('touch x')"), "Done."]) as first:
        await first.say("write")
        session = first.chat.recorder.session
    async with talk(project) as second:
        shown = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "WHEN", await second.say("/undo"))
        assert shown == (
            "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-b\n+a\n"
            f"took back turn 1 of session {session} (WHEN): a.py; /redo reverses it; the model is not told\n"
            "that turn also ran commands or tests; what they changed is not taken back\n"
        )
        assert await second.say("/undo") == f"Error: nothing to undo: punie wrote no file in {project}\n"
    assert names(project) == ["a.py", "x"]


def test_what_ask_and_exec_wrote_is_undone_from_the_command_line(project: Path) -> None:
    assert punie("ask", "--allow", "write", "write", replies=[WRITES, "Done."]).code == 0
    (project / "p.py").write_text("write_file('d.py', 'd\\n')")
    assert punie("exec", "--allow", "write", "p.py").code == 0
    ran = punie("undo", "--dry-run")
    assert (ran.code, ran.stdout.splitlines()[-1][:36], (project / "d.py").exists()) == (
        0, "would take back the program of sessi", True,
    )  # fmt: skip
    assert punie("undo").stdout.startswith("--- a/d.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-d\ntook back the program of")
    assert not (project / "d.py").exists()
    (project / "new/c.py").write_text("mine\n")
    ran = punie("undo")
    assert (ran.code, ran.stderr) == (
        1, "Error: new/c.py has changed since; nothing was taken back\nTry: punie undo a.py\n",
    )  # fmt: skip
    assert (punie("undo", "a.py").code, (project / "a.py").read_text()) == (0, "a\n")
    ran = punie("undo", "a.py")
    assert (ran.code, ran.stderr) == (1, "Error: nothing to undo: punie wrote no file 'a.py'\n")
