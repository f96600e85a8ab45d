"""punie chat: keys and commands through a pipe, plain lines, and a real terminal."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pexpect
import pyte
import pytest

from punie_cli.approvals import Decision
from punie_cli.chat.approve import read_answer
from punie_cli.chat.commands import Typed, commands, find
from punie_cli.chat.helping import grouped
from punie_cli.chat.keys import KEYS
from punie_cli.chat.readers import history_file
from punie_cli.engine.base import Prompt, Reply, Text
from punie_cli.store import session_file
from tests.chatting import ALT_ENTER, CTRL_C, CTRL_D, CTRL_J, ENTER, Keys, keys
from tests.command_line import program
from tests.fake import QueueEngine

OPENED = "fake, adapter none; /help shows the commands\n"

pytestmark = pytest.mark.usefixtures("project")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


LEFT = "to go on: punie chat --session SESSION\n"


async def test_a_conversation() -> None:
    typed = keys(["Hello.", "Yes."])
    await typed.type(f"hi{ENTER}and now?{ENTER}{CTRL_D}")
    assert (typed.stdout, typed.stderr) == ("Hello.\nYes.\n", OPENED + LEFT)
    assert [m["content"] for m in typed.engine.prompts[1].messages[1:]] == ["hi", "Hello.", "and now?"]
    assert typed.engine.closed


@pytest.mark.parametrize("new_line", [ALT_ENTER, CTRL_J])
async def test_several_lines(new_line: str) -> None:
    typed = keys(["Yes."])
    await typed.type(f"one{new_line}two{ENTER}{CTRL_D}")
    assert typed.asked == ["one\ntwo"]


async def test_a_paste_is_not_sent() -> None:
    typed = keys(["Yes."])
    await typed.type(f"\x1b[200~one\ntwo\n\x1b[201~three{ENTER}{CTRL_D}")
    assert typed.asked == ["one\ntwo\nthree"]


async def test_control_c_clears_the_line_and_control_d_only_leaves_an_empty_one() -> None:
    typed = keys(["Yes."])
    await typed.type(f"not this{CTRL_C}this{CTRL_D}{ENTER}{ENTER}{CTRL_D}")
    assert (typed.asked, typed.stderr) == (["this"], OPENED + LEFT)


async def test_nothing_said() -> None:
    typed = keys()
    await typed.type(CTRL_D)
    assert (typed.stdout, typed.stderr, session_file().exists()) == ("", OPENED, False)


async def test_commands() -> None:
    typed = keys()
    await typed.type(f"/modl{ENTER}/model{ENTER}/exit{ENTER}")
    model, adapter, prompt, context, memory, speed, builtins = typed.stdout.splitlines()
    assert (model, adapter, context) == ("model     fake", "adapter   none", "context   not known")
    assert len(prompt) == len("prompt    ") + 12
    assert (memory.startswith("memory    "), speed) == (True, "speed     not known yet")
    assert builtins.startswith("builtins  typecheck, ")
    assert typed.stderr == OPENED + "Error: there is no /modl; did you mean /model?\nTry: /help\n"


async def test_help_lists_every_command_once_in_groups_and_keys_every_key() -> None:
    typed = keys()
    await typed.type(f"/help{ENTER}/keys{ENTER}{CTRL_D}")
    helped, *pressed = typed.stdout.partition(KEYS[0].label)
    titles = [line for line in helped.splitlines() if line and not line.startswith(" ")]
    assert titles == [title for title, _ in grouped()]
    usages = [line.strip().split("  ")[0] for line in helped.splitlines() if line.startswith("  ")]
    assert sorted(usages) == sorted([*(command.usage for command in commands()), "!COMMAND"])
    assert [line.split("  ")[0] for line in "".join(pressed).splitlines()] == [key.label for key in KEYS]


def test_every_command_has_a_group() -> None:
    assert "Others" not in [title for title, _ in grouped()]


async def test_new_forgets() -> None:
    typed = keys(["One.", "Two."])
    await typed.type(f"first{ENTER}/new{ENTER}second{ENTER}{CTRL_D}")
    assert [m["content"] for m in typed.engine.prompts[1].messages[1:]] == ["second"]
    with sqlite3.connect(session_file()) as store:
        assert store.execute("SELECT command FROM sessions").fetchall() == [("chat",), ("chat",)]
        kept = store.execute("SELECT type, count(*) FROM records GROUP BY type ORDER BY type").fetchall()
    assert kept == [("answer", 2), ("prompt", 2), ("session", 2), ("usage", 2)]


@pytest.mark.parametrize(
    ("answer", "written", "told"),
    [
        ("y", True, "done"),
        ("n", False, "refused by the user"),
        ("no, use pathlib", False, "refused by the user: use pathlib"),
        (f"what{ENTER}y", True, "done"),
        (CTRL_D, False, "refused by the user"),
    ],
)
async def test_approvals(answer: str, written: bool, told: str, project: Path) -> None:
    code = "try:\n    write_file('a.txt', 'x')\n    print('done')\nexcept OSError as e:\n    print(e)"
    typed = keys([program(code), "Ok."])
    await typed.type(f"write{ENTER}{answer}{'' if answer == CTRL_D else ENTER}{CTRL_D}")
    assert (project / "a.txt").exists() is written
    assert typed.asked[1] == f"<output>\n{told}\n</output>"
    question = (
        "A program wants to create a.txt (1 line)\n--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+x\n"
        "\\ No newline at end of file\n"
    )
    assert typed.stderr.partition(question)[1] == question


async def test_one_answer_for_the_session(project: Path) -> None:
    code = "write_file('a.txt', 'x')\nwrite_file('b.txt', 'x')"
    typed = keys([program(code), "Ok."])
    await typed.type(f"write{ENTER}s{ENTER}{CTRL_D}")
    assert names(project) == ["a.txt", "b.txt"]
    with sqlite3.connect(session_file()) as store:
        found = store.execute(
            "SELECT json_extract(json, '$.by') FROM records WHERE type = 'approval' ORDER BY n"
        ).fetchall()
    assert found == [("person",), ("rule",)]


async def test_control_c_in_a_question_ends_the_turn(project: Path) -> None:
    typed = keys([program("write_file('a.txt', 'x')"), "Hello."])
    await typed.type(f"write{ENTER}{CTRL_C}hi{ENTER}{CTRL_D}")
    assert (typed.stdout, names(project)) == ("Hello.\n", [])
    assert typed.stderr.endswith("(stopped)\n" + LEFT)
    assert [m["content"] for m in typed.engine.prompts[1].messages[1:]] == ["hi"]


class Stuck(QueueEngine):
    """Begins a reply, is interrupted as by Ctrl-C, and then says nothing more; later prompts it answers."""

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
        if len(self.prompts) == 0:
            self.prompts.append(prompt)
            yield Text("I will ")
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        async for event in super().generate(prompt, max_tokens=max_tokens):
            yield event


async def test_control_c_stops_a_reply_not_the_chat() -> None:
    typed = Keys(Stuck(["Hello."]))
    await typed.type(f"go{ENTER}hi{ENTER}{CTRL_D}")
    assert (typed.stdout, typed.stderr) == ("Hello.\n", OPENED + "(stopped)\n" + LEFT)
    with sqlite3.connect(session_file()) as store:
        found = store.execute(
            "SELECT json_extract(json, '$.finish') FROM records WHERE type = 'answer' ORDER BY n"
        ).fetchall()
    assert found == [("cancelled",), ("stop",)]


async def test_an_error_does_not_end_the_chat() -> None:
    class Failing(QueueEngine):
        async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
            if len(self.prompts) == 0:
                self.prompts.append(prompt)
                raise ZeroDivisionError("by zero")
            async for event in super().generate(prompt, max_tokens=max_tokens):
                yield event

    typed = Keys(Failing(["Hello."]))
    await typed.type(f"go{ENTER}hi{ENTER}{CTRL_D}")
    assert typed.stdout == "Hello.\n"
    assert typed.stderr.splitlines()[1] == "Error: ZeroDivisionError: by zero"


async def test_history_leaves_out_what_begins_with_a_space(project: Path) -> None:
    await keys(["Yes."] * 2).type(f"kept{ENTER} not kept{ENTER}{CTRL_D}")
    file = history_file(project)
    assert [line for line in file.read_text().splitlines() if line.startswith("+")] == ["+kept"]
    assert file.stat().st_mode & 0o777 == 0o600
    typed = keys(["Yes."])
    await typed.type(f"\x1b[A{ENTER}{CTRL_D}")
    assert typed.asked == ["kept"]


@pytest.mark.parametrize(
    ("line", "decision"),
    [
        ("y", Decision(True, "person")),
        (" YES ", Decision(True, "person")),
        ("n", Decision(False, "person")),
        ("n: too long", Decision(False, "person", "too long")),
        ("no", Decision(False, "person")),
        (None, Decision(False, "person")),
        ("", None),
        ("yes but", None),
        ("nonsense", None),
        ("ok", None),
    ],
)
def test_answers(line: str | None, decision: Decision | None) -> None:
    assert read_answer(line) == decision


@pytest.mark.parametrize("text", ["/etc/hosts what is it?", "/ home", "hello", "/etc/hosts"])
def test_what_is_no_command(text: str) -> None:
    assert find(text) is None


def test_every_command_is_found() -> None:
    assert [find(f" {command.name} ") for command in commands()] == [Typed(command, "") for command in commands()]


def test_what_stands_behind_a_command_is_its_argument() -> None:
    assert find(" /help  me ") == Typed(commands()[0], "me")


_CHAT = """
import sys
from punie_cli.cli import run
from tests.command_line import app, program
sys.exit(run(sys.argv[1:], app([program("write_file('a.txt', 'x')"), "It is **written**.", "Bye."])))
"""


@pytest.fixture
def environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parent.parent)
    return {**os.environ, "PYTHONPATH": root, "PROMPT_TOOLKIT_NO_CPR": "1", "NO_COLOR": "1"}


def test_lines_of_a_pipe(environment: dict[str, str], project: Path) -> None:
    command = [sys.executable, "-c", _CHAT, "chat", "--allow", "write"]
    done = subprocess.run(command, input="write\n\n/nothing\nlast", capture_output=True, text=True, env=environment)
    session = re.findall("chat --session ([0-9a-f]{8})", done.stderr)[0]
    assert (done.returncode, done.stdout, (project / "a.txt").read_text()) == (0, "It is **written**.\nBye.\n", "x")
    assert done.stderr.replace(session, "SESSION") == (
        OPENED + "│ write_file('a.txt', 'x')\n• write_file(path='a.txt', text='x') → lines 1, new\n"
        f"Error: there is no /nothing; there are: {', '.join(c.name for c in commands())}\nTry: /help\n" + LEFT
    )


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_in_a_terminal(term: str, environment: dict[str, str], project: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-c", _CHAT, "chat"],
        env=environment | {"TERM": term},
        encoding="utf-8",
        timeout=120,
        dimensions=(40, 100),
        echo=False,
    )
    child.expect_exact(">")
    child.send("write it\r")
    child.expect_exact("A program wants to create a.txt (1 line)")
    child.expect_exact("Allow it?")
    assert not (project / "a.txt").exists()
    child.send("y\r")
    child.expect("It is .*written")
    child.expect_exact(">")
    child.send(CTRL_C)
    child.send("/exit\r")
    child.expect_exact("to go on: punie chat --session ")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, (project / "a.txt").read_text()) == (0, "x")


_SLOW = """
import time
from tests import command_line
Connected = command_line.Connected
def slowly(*args, **named):
    print("LOADING", flush=True)
    time.sleep(1)
    return Connected(*args, **named)
command_line.Connected = slowly
"""


def test_what_is_typed_while_the_model_loads_is_sent(environment: dict[str, str], project: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-c", _SLOW + _CHAT, "chat", "--mode", "edits"],
        env=environment | {"TERM": "xterm"},
        encoding="utf-8",
        timeout=120,
        dimensions=(40, 100),
    )
    child.expect_exact("LOADING")
    child.send("write it\r")
    child.expect("It is .*written")
    assert str(child.before).count("write it") == 1
    child.send("/exit\r")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, (project / "a.txt").read_text()) == (0, "x")


class Window:
    """What a terminal of some width shows of a chat; `history` lines have left it at its top."""

    def __init__(self, child: pexpect.spawn, columns: int) -> None:
        self.screen = pyte.HistoryScreen(columns, 12, history=200)
        self._stream = pyte.Stream(self.screen)
        self._child = child

    def until(self, ready: Callable[[list[str]], bool]) -> list[str]:
        """The lines of the terminal, with those above it, when `ready` says yes to them."""
        while not ready(self.lines):
            try:
                self._stream.feed(self._child.read_nonblocking(4096, timeout=60))
            except pexpect.TIMEOUT:
                pytest.fail("\n".join(["the window stays at:", *self.lines]))
        return self.lines

    @property
    def lines(self) -> list[str]:
        above = ["".join(line[n].data for n in range(self.screen.columns)) for line in self.screen.history.top]
        lines = [line.rstrip() for line in [*above, *self.screen.display]]
        return lines[: max((n for n, line in enumerate(lines, 1) if line), default=0)]


def test_nothing_is_lost_in_a_narrow_window(environment: dict[str, str], project: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-c", _CHAT, "chat", "--mode", "edits"],
        env=environment | {"TERM": "xterm", "COLUMNS": "", "LINES": ""},
        encoding="utf-8",
        dimensions=(12, 40),
        echo=False,
    )
    window = Window(child, 40)
    bar = "fake · no adapter · edits"
    window.until(lambda lines: lines[-2:] == [">", bar])
    child.send("!seq 12\r")
    window.until(lambda lines: lines[-3:] == ["  12", ">", bar])
    child.send("write it\r")
    window.until(lambda lines: lines[-2:] == [">", bar] and "It is written." in lines)
    child.send("日本\x1b\r語")
    lines = window.until(lambda lines: lines[-2:] == ["語", bar])
    assert [line.rstrip() for line in lines] == [
        "fake, adapter none; /help shows the", "commands",
        "> !seq 12", *(f"  {number}" for number in range(1, 13)),
        "> write it", "│ write_file('a.txt', 'x')",
        "create a.txt (1 line)", "--- /dev/null", "+++ b/a.txt", "@@ -0,0 +1 @@", "+x", "\\ No newline at end of file",
        "• write_file(path='a.txt… → lines 1, new",
        "It is written.",
        "> 日本", "語", bar,
    ]  # fmt: skip
    child.send("\x03\x04")
    child.expect_exact("to go on: punie chat --session ")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
