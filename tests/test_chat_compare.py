"""/compare: the same prompt to two models, each in a copy of the project, and the choice."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from punie_cli import journal
from punie_cli.agent.events import Answered, Failed, Program
from punie_cli.chat import comparing
from punie_cli.chat.sides import Side, show_sides
from punie_cli.errors import UsageError
from punie_cli.evaluation import scratch
from punie_cli.evaluation.scratch import Copied, copy_project, snapshot
from punie_cli.journal import Journal
from punie_cli.render import View
from tests.command_line import program
from tests.talks import talk

FITS = comparing.fits_beside
FIRST = program("text = read_file('a.txt')\nwrite_file('a.txt', text + '1\\n')\nprint(len(text))")
SECOND = program(
    "write_file('a.txt', '2\\n')\nwrite_file('b.txt', 'b\\n')\n"
    "try:\n    run_command('rm a.txt')\nexcept PermissionError as e:\n    print(e)\n"
    "print(run_command('cat b.txt').stdout.strip())"
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(journal, "_SYNCHRONOUS", "OFF")
    monkeypatch.setattr(comparing, "fits_beside", lambda settings: True)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.txt").write_text("old\n")
    monkeypatch.chdir(folder)
    return folder


async def test_both_are_asked_the_same_and_the_choice_is_kept(project: Path) -> None:
    replies = ["Hello.", FIRST, "Once.", FIRST, "One."]
    async with talk(project, replies, ["x", "2"], other=[SECOND, "Two."]) as chat:
        await chat.say("hi")
        await chat.say("write")
        asked = len(chat.questions)
        shown = re.sub(r"\d+\.\d s\n", "S s\n", await chat.say("/compare other"))
        shown = re.sub(" → .*", "", shown)
        assert shown == (
            "1: fake, adapter none\n"
            "│ text = read_file('a.txt')\n│ write_file('a.txt', text + '1\\n')\n│ print(len(text))\n"
            "• read_file(path='a.txt')\n"
            "• write_file(path='a.txt', text='old\\n1\\n')\n"
            "  4\nOne.\n"
            "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@\n old\n+1\n"
            "2 steps, 0 tokens, S s\n"
            "2: other, adapter none\n"
            "│ write_file('a.txt', '2\\n')\n│ write_file('b.txt', 'b\\n')\n"
            "│ try:\n│     run_command('rm a.txt')\n│ except PermissionError as e:\n│     print(e)\n"
            "│ print(run_command('cat b.txt').stdout.strip())\n"
            "• write_file(path='a.txt', text='2\\n')\n• write_file(path='b.txt', text='b\\n')\n"
            "• run_command(command='rm a.txt')\n"
            "• run_command(command='cat b.txt')\n"
            "  refused: run rm a.txt (a comparison runs tests, and commands that only read)\n  b\nTwo.\n"
            "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+2\n--- /dev/null\n+++ b/b.txt\n@@ -0,0 +1 @@\n+b\n"
            "2 steps, 0 tokens, S s\n"
            "1: the present model · 2: the other one · same · neither · an empty line keeps nothing\n"
            "kept: other, adapter none, was better; the conversation goes on as if nothing was asked\n"
        )
        # The project is as the turn left it, and nobody was asked about the copies.
        assert snapshot(project) == {"a.txt": "old\n1\n"}
        assert len(chat.questions) == asked
        first, second = chat.engines["fake"].prompts[-2], chat.engines["other"].prompts[0]
        assert first.messages == second.messages
        assert [message["content"] for message in second.messages[1:]] == ["hi", "Hello.", "write"]
        assert chat.engines["other"].closed
        assert not chat.engines["fake"].closed
        (kept,) = chat.records("verdict")
        assert (kept["turn"], kept["verdict"], kept["choice"], kept["prompt"]) == (2, "preferred", "2", "write")
        assert [(side["model"], side["tokens"]) for side in kept["sides"]] == [("fake", 0), ("other", 0)]
        assert [[each["type"] for each in side["records"]][-1] for side in kept["sides"]] == ["answer", "answer"]
        assert kept["sides"][1]["diff"].startswith("--- a/a.txt\n")
        assert [message.text for message in chat.chat.agent.messages][-1] == "Once."
        assert len(Journal(project).writes()) == 1


async def test_one_after_the_other_where_both_do_not_fit(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "fits_beside", lambda settings: False)
    open_when_other_answers = []

    async with talk(project, ["Yes.", "Yes.", "After."], [""], other=["No."]) as chat:
        await chat.say("hi")
        generate = chat.engines["other"].generate

        def looking(*args, **options):
            open_when_other_answers.append(chat.engines["fake"].closed)
            return generate(*args, **options)

        monkeypatch.setattr(chat.engines["other"], "generate", looking)
        shown = await chat.say("/compare other")
        assert shown.startswith("both models do not fit into the memory at once: one is loaded after the other\n")
        assert shown.endswith("nothing is kept\n")
        assert (open_when_other_answers, chat.engines["fake"].closed) == ([True], False)
        assert chat.records("verdict") == []
        assert await chat.say("go on") == "After.\n"
    assert chat.engines["fake"].closed


async def test_tests_in_a_copy_are_asked_about(project: Path) -> None:
    runs = program("print(test('test_a.py').passed)")
    (project / "test_a.py").write_text("def test_a():\n    assert True\n")
    async with talk(project, ["Yes.", runs, "One."], ["same"], other=["No."]) as chat:
        await chat.say("test it")
        shown = await chat.say("/compare other")
        assert [question.builtin for question in chat.questions] == ["test"]
        assert shown.startswith("in the copy of fake:\n")
        assert shown.endswith("kept: both were the same; the conversation goes on as if nothing was asked\n")


async def test_what_cannot_be_compared(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with talk(project, ["Yes."]) as chat:
        assert await chat.say("/compare") == "Error: which model to compare with?\nTry: punie models list\n"
        assert (await chat.say("/compare other")).startswith("Error: there is no turn yet\n")
        await chat.say("hi")
        monkeypatch.setattr(comparing, "fits_beside", FITS)
        assert (await chat.say("/compare other")).startswith("Error: no model 'other'")


def test_beside_each_other_where_there_is_room() -> None:
    file = io.StringIO()
    view = View()
    view.err = Console(file=file, force_terminal=True, color_system=None, width=104)
    first = Side("one", "x", None, (Program("a = 1\nb = '\x1b[2J'"), Answered("Done \x1b[2J.", "stop")), "", 1.25)
    second = Side("two", None, None, (Failed(1, "it broke", None),), "-old\n+new\n", 0.5)
    show_sides(view, (first, second))
    left = ["1: one, adapter x", "│ a = 1", "│ b = '\\x1b[2J'", "Done \\x1b[2J.", "no file was changed"]
    right = ["2: two, adapter none", "Error: it broke", "-old", "+new", "0 steps, 0 tokens, 0.5 s"]
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert lines == [f"{a:53}{b}" for a, b in zip(left, right, strict=True)] + ["0 steps, 0 tokens, 1.2 s"]


def test_a_copy_leaves_out_what_is_large_or_leads_outside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "FILE_BYTES", 100)
    (project / "big.bin").write_bytes(bytes(101))
    (project / "inside").symlink_to("a.txt")
    (project / "outside").symlink_to("../elsewhere")
    (project / "whole").symlink_to(project / "a.txt")
    (project / "pkg").mkdir()
    (project / "pkg/run.sh").write_text("x")
    (project / "pkg/run.sh").chmod(0o755)
    files = sorted(path.relative_to(project).as_posix() for path in project.rglob("*"))
    target = project.parent / "copy"
    assert copy_project(project, target, [*files, "gone.txt"]) == Copied(3, ("big.bin", "outside", "whole"))
    assert ((target / "inside").readlink(), (target / "pkg/run.sh").stat().st_mode & 0o777) == (Path("a.txt"), 0o755)
    monkeypatch.setattr(scratch, "PROJECT_FILES", 1)
    with pytest.raises(UsageError, match="too much to copy"):
        copy_project(project, project.parent / "again", files)
