"""Questions to a person: every answer, the rule that "always" stores, an edited text, what is shown."""

import io
import os
from collections.abc import Iterable
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from punie_cli.agent.events import Approved, record
from punie_cli.agent.execute import EDITED, run_program
from punie_cli.approvals import Decision, Question
from punie_cli.builtins.registry import Registry
from punie_cli.chat.approve import person
from punie_cli.permits import Permit, Permits, Standing
from punie_cli.render import View
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace

YES, NO, RULE = Decision(True, "person"), Decision(False, "person"), Decision(True, "rule")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "project"
    folder.mkdir()
    return folder


class Terminal:
    """A person who gives these answers; `asked` are the texts before the cursor, `shown` is what stood above them."""

    def __init__(self, root: Path | None, answers: Iterable[str | None] = (), **standing: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self._err = io.StringIO()
        with redirect_stderr(self._err):
            view = View()
        self.standing = Standing(root, warn=view.note, **standing)  # ty: ignore[invalid-argument-type]
        self.approver = person(view, self._read, self.standing)

    @property
    def shown(self) -> str:
        return self._err.getvalue()

    async def _read(self, prompt: str) -> str | None:
        self.asked.append(prompt)
        return self.answers.pop(0)

    async def decide(self, question: Question) -> Decision:
        return await self.approver(question)


def write(path: str) -> Question:
    return Question("write_file", {"path": path, "text": "x\n"}, f"create {path} (1 line)", "+x\n", "write")


def run(command: str) -> Question:
    return Question("run_command", {"command": command, "timeout_s": 60}, f"run {command}")


@pytest.mark.parametrize(
    ("question", "prompt"),
    [
        (write("a.py"), "Allow it? [y/s/a/e/n/?] "),
        (write(".env"), "Allow it? [y/s/e/n/?] "),
        (run("git status"), "Allow it? [y/s/a/n/?] "),
        (run("ls | wc"), "Allow it? [y/s/n/?] "),
        (Question("test", {"path": "."}, "run pytest"), "Allow it? [y/s/a/n/?] "),
        (Question("read_file", {"path": ".env"}, "read .env", rule="read"), "Allow it? [y/s/n/?] "),
    ],
)
async def test_what_can_be_answered(question: Question, prompt: str, root: Path) -> None:
    asked = Terminal(root, ["n: not now"])
    assert await asked.decide(question) == Decision(False, "person", "not now")
    assert asked.asked == [prompt]
    assert Permits(root).all() == []


async def test_help_says_what_this_session_means(root: Path) -> None:
    asked = Terminal(root, ["?", "a", "e", "s"])
    assert await asked.decide(run("ls | wc")) == YES
    assert asked.shown == (
        "A program wants to run ls | wc\n"
        "y  yes\ns  yes, and until you leave yes to exactly this\nn  no; `n REASON` tells the model why\n"
        "no rule can cover this: secrets, shell syntax, or what may run any program\n"
        "only a text that is written can be edited\n"
    )
    assert await asked.decide(run("ls | wc")) == RULE


async def test_always_shows_the_rule_and_its_file_first(root: Path) -> None:
    asked = Terminal(root, ["a", "a"])
    assert (await asked.decide(run("git status -s")), await asked.decide(run("git status"))) == (YES, RULE)
    stored = Permits(root)
    assert stored.all() == [Permit("run", ("git", "status"))]
    assert asked.asked == [
        "Allow it? [y/s/a/n/?] ",
        "Store it? [a/n, or another rule, such as fewer words] ",
    ]
    assert asked.shown.replace("\n", "").replace(" ", "") == (
        f"A program wants to run git status -sThe rule: run git statusIt is kept for this project in {stored.file}; "
        "/permissions takes it back".replace(" ", "")
    )
    # Another chat of this project knows it, one elsewhere does not.
    assert await Terminal(root).decide(run("git status")) == RULE
    (root / "inner").mkdir()
    assert await Terminal(root / "inner", ["n"]).decide(run("git status")) == NO


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        (["a", "y"], "write src/a.py"),
        (["always", "src/**", "a"], "write src/**"),
        (["a", "lib/**", "src/**", "lib/**", "yes"], "write src/**"),
        (["a", "n", "y"], None),
        (["a", None, "y"], None),
        (["a", "", "y"], None),
    ],
)
async def test_another_rule_can_be_typed(answers: list[str | None], rule: str | None, root: Path) -> None:
    asked = Terminal(root, answers)
    assert await asked.decide(write("src/a.py")) == YES
    assert ([str(permit) for permit in Permits(root).all()], asked.answers) == ([rule] if rule else [], [])


async def test_what_needs_no_question_is_shown_as_a_diff(root: Path) -> None:
    asked = Terminal(root, mode="edits")
    assert await asked.decide(write("a.py")) == RULE
    assert asked.shown == "create a.py (1 line)\n+x\n"


async def test_read_only_asks_nobody(root: Path) -> None:
    asked = Terminal(root, mode="read-only")
    decision = await asked.decide(write("a.py"))
    assert (decision.allowed, decision.by, asked.shown) == (False, "rule", "")


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "editor"
    file.write_text('#!/bin/sh\nprintf "mine\\n" > "$1"\n')
    file.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(file))
    return file


async def test_an_edited_text_is_written_and_the_model_is_told(root: Path, editor: Path, sandbox: Sandbox) -> None:
    asked = Terminal(root, ["e", "n"])
    workspace, events = Workspace(root, asked.approver), []
    code = (
        "print(write_file('a.py', 'theirs\\nand more\\n'), end='')\n"
        "try:\n    write_file('b.py', 'x')\nexcept OSError as e:\n    print('.', e)"
    )
    async with await sandbox.turn() as turn:
        output = await run_program(code, turn, Registry(), workspace, events.append)
    assert (root / "a.py").read_text() == "mine\n"
    told = EDITED.format(path="a.py")
    assert output.text == f"created a.py (1 line). refused by the user\n{told}\n"
    approvals = [record(event) for event in events if isinstance(event, Approved)]
    args = [{"path": "a.py", "text": "theirs\nand more\n"}, {"path": "b.py", "text": "x"}]
    assert approvals == [
        {"type": "approval", "builtin": "write_file", "args": args[0], "decision": "allowed", "by": "person",
         "edited": "mine\n"},
        {"type": "approval", "builtin": "write_file", "args": args[1], "decision": "refused", "by": "person"},
    ]  # fmt: skip
    assert "what you changed:\n--- a/a.py\n+++ b/a.py\n@@ -1,2 +1 @@\n-theirs\n-and more\n+mine\n" in asked.shown


async def test_an_editor_that_changes_nothing_or_fails_asks_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "true")
    asked = Terminal(root, ["e", "y"])
    assert await asked.decide(write("a.py")) == YES
    assert asked.shown.endswith("the text is as it was\n")
    monkeypatch.setenv("VISUAL", "false")
    asked = Terminal(root, ["e", "n"])
    assert await asked.decide(write("a.py")) == NO
    assert "Error: false ended with exit code 1; the text is as it was\n" in asked.shown
