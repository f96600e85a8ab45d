"""/permissions and /mode in a chat, and what a folder's settings lead to when a chat begins."""

import os
import sys
from pathlib import Path

import pexpect
import pytest

from punie_cli import trust
from punie_cli.chat.permits import next_mode
from punie_cli.permits import Permit, Permits
from punie_cli.projects import wish
from tests.chatting import CTRL_D, ENTER, keys
from tests.command_line import program
from tests.talks import talk


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


async def test_permissions(project: Path) -> None:
    stored = Permits(project)
    async with talk(project) as chat:
        nothing = "no rules are stored for this project; `a` at a question stores one\n"
        assert await chat.say("/permissions") == nothing
        for permit in (Permit("write", ("src/**",)), Permit("run", ("git", "status"))):
            stored.add(permit)
        shown = " 1  write src/**\n 2  run git status\n"
        assert (await chat.say("/permissions")).startswith(f"{shown}kept in ")
        assert await chat.say("/permissions remove 3") == "Error: there is no rule '3'\nTry: /permissions\n"
        assert await chat.say("/permissions remove") == "Error: there is no rule ''\nTry: /permissions\n"
        assert (await chat.say("/permissions all")).startswith("Error: /permissions takes `remove N`, not 'all'\n")
        assert await chat.say("/permissions remove 1") == "removed: write src/**\n"
        assert stored.all() == [Permit("run", ("git", "status"))]


async def test_mode(project: Path) -> None:
    async with talk(project) as chat:
        ask = "ask: writes, commands and tests ask first\n"
        assert await chat.say("/mode") == ask
        edits = "edits: files are written without a question; commands and tests ask\n"
        assert await chat.say("/mode edits") == edits
        assert (chat.chat.standing.mode, chat.chat.settings.mode) == ("edits", "edits")
        assert await chat.say("/mode yolo") == (
            "Error: there is no mode 'yolo'; there are: ask, edits, read-only\nTry: /mode ask\n"
        )
        found = []
        for _ in range(3):
            next_mode(chat.chat)
            found.append(chat.chat.standing.mode)
        assert found == ["read-only", "ask", "edits"]


async def test_shift_tab_goes_through_the_modes(project: Path) -> None:
    caught = "try:\n    write_file('b.txt', 'x')\nexcept OSError as e:\n    print(e)"
    typed = keys([program("write_file('a.txt', 'x')"), "Ok.", program(caught), "Ok."])
    shift_tab = "\x1b[Z"
    await typed.type(f"{shift_tab}write{ENTER}{shift_tab}write{ENTER}{CTRL_D}")
    assert ((project / "a.txt").is_file(), (project / "b.txt").exists()) == (True, False)
    why = "(the mode is read-only: nothing is written, and only reading commands run)"
    assert typed.asked[3] == f"<output>\nrefused: write b.txt {why}\n</output>"


_CHAT = """
import sys
from punie_cli.cli import run
from tests.command_line import app, program
sys.exit(run(sys.argv[1:], app([program("write_file('src/a.txt', 'x')"), "Done.",
                                program("write_file('src/b.txt', 'x')"), "Again."])))
"""


def chat_in_a_terminal(*args: str) -> pexpect.spawn:
    root = str(Path(__file__).resolve().parent.parent)
    return pexpect.spawn(
        sys.executable,
        ["-c", _CHAT, "chat", *args],
        env={**os.environ, "PYTHONPATH": root, "TERM": "dumb", "NO_COLOR": "1"},
        encoding="utf-8",
        timeout=120,
        dimensions=(40, 200),
        echo=False,
    )


def test_a_folder_is_asked_about_once_and_a_rule_lasts(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.punie]\nmax_steps = 9\n")
    child = chat_in_a_terminal()
    child.expect_exact("max_steps = 9 (pyproject.toml)")
    child.expect_exact("Apply them, now and later? [y/N]: ")
    child.send("y\r")
    child.expect_exact("> ")
    child.send("write it\r")
    child.expect_exact("Allow it? [y/s/a/e/n/?] ")
    child.send("a\r")
    child.expect_exact("The rule: write src/a.txt")
    child.expect_exact("Store it? ")
    child.send("src/**\r")
    child.expect_exact("The rule: write src/**")
    child.expect_exact("Store it? ")
    child.send("a\r")
    child.expect_exact("Done.")
    child.expect_exact("> ")
    # The rule holds; the diff is shown all the same.
    child.send("and another\r")
    child.expect_exact("create src/b.txt (1 line)")
    child.expect_exact("Again.")
    child.send("/exit\r")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, Permits(project).all()) == (0, [Permit("write", ("src/**",))])
    assert sorted(path.name for path in (project / "src").iterdir()) == ["a.txt", "b.txt"]
    assert trust.decision(project, wish(project).digest) is True
    child = chat_in_a_terminal("--mode", "read-only")
    child.expect_exact("/help shows the commands")
    assert "Apply them" not in (child.before or "")
    child.expect_exact("> ")
    child.send("/mode\r")
    child.expect_exact("read-only: nothing is written, and only reading commands run")
    child.send("/exit\r")
    child.expect(pexpect.EOF)
    child.close()
