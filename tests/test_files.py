"""read_file and write_file through the registry, as a program calls them."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.builtins.files import diff
from punie_cli.builtins.registry import Approval, Outcome, Registry
from punie_cli.workspace import Decision, Question, Workspace

registry = Registry()


class Person:
    """Answers every question with the same decision and remembers the questions."""

    def __init__(self, allowed: bool = True, reason: str = "") -> None:
        self.decision = Decision(allowed, "person", reason)
        self.questions: list[Question] = []

    async def __call__(self, question: Question) -> Decision:
        self.questions.append(question)
        return self.decision


async def call(root: Path, person: Person, name: str, **args: Any) -> Outcome:
    return await registry.call(name, args, Workspace(root, person))


async def test_create(tmp_path: Path) -> None:
    person = Person()
    outcome = await call(tmp_path, person, "write_file", path="docs/a/notes.txt", text="one\ntwo\n")
    args = {"path": "docs/a/notes.txt", "text": "one\ntwo\n"}
    assert person.questions == [
        Question(
            "write_file",
            args,
            "create docs/a/notes.txt (2 lines)",
            "--- /dev/null\n+++ b/docs/a/notes.txt\n@@ -0,0 +1,2 @@\n+one\n+two\n",
            "write",
        )
    ]
    fields = {"path": "docs/a/notes.txt", "lines": 2, "created": True, "changed": True}
    assert outcome.wire == {
        "$record": "WriteResult",
        "fields": fields,
        "text": "created docs/a/notes.txt (2 lines)",
        "blocked": {},
    }
    assert (outcome.ok, outcome.result, outcome.error) == (True, fields, None)
    assert outcome.approval == Approval("write_file", args, "allowed", "person")
    assert (tmp_path / "docs/a/notes.txt").read_text() == "one\ntwo\n"
    assert not list((tmp_path / "docs/a").glob(".*"))


async def test_change_then_unchanged(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ny = 2")
    person = Person()
    outcome = await call(tmp_path, person, "write_file", path="a.py", text="x = 1\ny = 3\n")
    assert outcome.wire["text"] == "wrote a.py (2 lines)"
    assert person.questions[0].summary == "write a.py (2 lines)"
    assert person.questions[0].diff == (
        "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n x = 1\n-y = 2\n\\ No newline at end of file\n+y = 3\n"
    )
    again = await call(tmp_path, person, "write_file", path="a.py", text="x = 1\ny = 3\n")
    assert (again.wire["text"], again.approval, len(person.questions)) == (
        "unchanged a.py (2 lines)",
        None,
        1,
    )


@pytest.mark.parametrize(("text", "lines"), [("", "0 lines"), ("a", "1 line"), ("a\n", "1 line"), ("a\nb", "2 lines")])
async def test_line_count(tmp_path: Path, text: str, lines: str) -> None:
    outcome = await call(tmp_path, Person(), "write_file", path="a", text=text)
    assert outcome.wire["text"] == f"created a ({lines})"


async def test_refused(tmp_path: Path) -> None:
    outcome = await call(tmp_path, Person(False, "keep it"), "write_file", path="sub/a.txt", text="x")
    assert outcome.error == {"kind": "PermissionError", "message": "refused by the user: keep it"}
    assert (outcome.ok, outcome.result, outcome.wire) == (False, None, None)
    assert outcome.approval == Approval("write_file", {"path": "sub/a.txt", "text": "x"}, "refused", "person")
    assert not (tmp_path / "sub").exists()


async def test_refused_without_a_terminal(tmp_path: Path) -> None:
    outcome = await registry.call("write_file", {"path": "notes.txt", "text": "x"}, Workspace(tmp_path))
    message = "refused: write notes.txt (nobody at the terminal; run again with --allow write)"
    assert outcome.error == {"kind": "PermissionError", "message": message}
    assert outcome.approval is not None
    assert (outcome.approval.decision, outcome.approval.by) == ("refused", "no-terminal")


async def test_a_file_changed_meanwhile_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old\n")

    async def slow(question: Question) -> Decision:
        (tmp_path / "a.txt").write_text("edited by hand\n")
        return Decision(True, "person")

    outcome = await registry.call("write_file", {"path": "a.txt", "text": "new\n"}, Workspace(tmp_path, slow))
    message = "'a.txt' changed while the question was open; read it again"
    assert outcome.error == {"kind": "OSError", "message": message}
    assert (tmp_path / "a.txt").read_text() == "edited by hand\n"


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        (".git/hooks/x", "PermissionError", "'.git/hooks/x' is protected; programs cannot write it"),
        ("../x", "PermissionError", "'../x' is outside the workspace"),
        ("folder", "IsADirectoryError", "'folder' is a folder"),
        ("data.bin", "ValueError", "'data.bin' is not a text file (UTF-8)"),
        ("data.bin/x", "NotADirectoryError", "'data.bin' is not a folder"),
    ],
)
async def test_what_cannot_be_written_is_not_asked_about(tmp_path: Path, path: str, kind: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "data.bin").write_bytes(b"\0\xff")
    person = Person()
    outcome = await call(tmp_path, person, "write_file", path=path, text="x")
    assert (outcome.error, person.questions) == ({"kind": kind, "message": message}, [])


async def test_a_question_shows_what_a_terminal_would_hide(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("ls\r\n")
    person = Person()
    await call(tmp_path, person, "write_file", path="a.sh", text="ls\n\x1b[2Krm -r .\n")
    assert person.questions[0].diff == ("--- a/a.sh\n+++ b/a.sh\n@@ -1 +1,2 @@\n-ls\\r\n+ls\n+\\x1b[2Krm -r .\n")


def test_large_change_is_one_block() -> None:
    text = diff("a", "old\n" * 1500, "new\n" * 1500)
    assert text == "--- a/a\n+++ b/a\n@@ -1,1500 +1,1500 @@\n" + "-old\n" * 1500 + "+new\n" * 1500


async def test_read_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    outcome = await registry.call("read_file", {"path": "a.txt"}, Workspace(tmp_path))
    assert (outcome.ok, outcome.result, outcome.wire, outcome.approval) == (True, "one\n", "one\n", None)
    outcome = await registry.call("read_file", {"path": "b.txt"}, Workspace(tmp_path))
    message = "no file or folder 'b.txt'; did you mean 'a.txt'?"
    assert outcome.error == {"kind": "FileNotFoundError", "message": message}


@pytest.mark.parametrize("path", [".env", "link"])
async def test_secret_files_ask(tmp_path: Path, path: str) -> None:
    (tmp_path / ".env").write_text("KEY=1\n")
    (tmp_path / "link").symlink_to(".env")
    person = Person()
    outcome = await call(tmp_path, person, "read_file", path=path)
    assert outcome.wire == "KEY=1\n"
    assert person.questions == [Question("read_file", {"path": path}, "read .env", rule="read")]
    outcome = await registry.call("read_file", {"path": ".env"}, Workspace(tmp_path))
    message = "refused: read .env (nobody at the terminal; run again with --allow read)"
    assert outcome.error == {"kind": "PermissionError", "message": message}


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60))
async def test_write_then_read_is_exact(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.mktemp("exact")
    await call(root, Person(), "write_file", path="a.txt", text=text)
    assert (root / "a.txt").read_bytes() == text.encode()
    assert (await call(root, Person(), "read_file", path="a.txt")).wire == text


async def test_replacing_a_word_keeps_crlf_and_mark(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    text = (await call(tmp_path, Person(), "read_file", path="a.txt")).wire
    await call(tmp_path, Person(), "write_file", path="a.txt", text=text.replace("two", "2"))
    assert (tmp_path / "a.txt").read_bytes() == b"\xef\xbb\xbfone\r\n2\rthree\n"


async def test_whether_a_text_equals_a_secret_file_is_asked_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=1\n")
    person = Person(False)
    outcome = await call(tmp_path, person, "write_file", path=".env", text="KEY=1\n")
    assert (outcome.ok, len(person.questions)) == (False, 1)
