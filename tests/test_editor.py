"""A text in $EDITOR: a script takes the place of the editor."""

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from punie_cli.chat import editor
from punie_cli.chat.editor import edit_text
from punie_cli.errors import PunieError, UsageError


@pytest.fixture
def edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Make an editor of a few lines of Python; `path` is the file that it was given. It notes its arguments."""
    monkeypatch.delenv("VISUAL", raising=False)

    def make(body: str, options: str = "") -> Path:
        script = tmp_path / "my editor.py"
        script.write_text(
            "import os, signal, sys\nfrom pathlib import Path\npath = Path(sys.argv[-1])\n"
            f"Path({str(tmp_path / 'seen')!r}).write_text(repr(sys.argv[1:]))\n{body}\n"
        )
        monkeypatch.setenv("EDITOR", f"{sys.executable} '{script}' {options}")
        return tmp_path / "seen"

    return make


@pytest.mark.parametrize(
    ("before", "body", "after"),
    [
        ("one", "path.write_text(path.read_text() + 'two\\n')", "one\ntwo"),
        ("one\n", "path.write_text(path.read_text() + 'two\\n')", "one\ntwo\n"),
        ("", "path.write_text('new\\n')", "new"),
        ("", "path.write_text('new')", "new"),
        ("one", "path.write_text('')", ""),
        ("ü", "path.write_bytes(path.read_bytes().replace(b'\\n', b'\\r\\nb\\r\\n'))", "ü\nb"),
        ("one", "pass", None),
        ("one", "path.write_text('one')", None),
        ("", "pass", None),
        ("one\r\ntwo", "pass", None),
    ],
)
async def test_what_was_left_in_the_file(before: str, body: str, after: str | None, edits) -> None:
    edits(body)
    assert await edit_text(before) == after


async def test_the_file_is_private_and_goes(edits, tmp_path: Path) -> None:
    seen = edits("path.write_text(oct(path.parent.stat().st_mode & 0o777))", "--wait 'a b'")
    assert await edit_text("x = 1\n", ".py") == "0o700"
    *options, file = eval(seen.read_text())
    assert (options, Path(file).name, Path(file).parent.exists()) == (["--wait", "a b"], "text.py", False)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit(3)", "ended with exit code 3; the text is as it was"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed (SIGKILL); the text is as it was"),
        ("path.write_bytes(b'\\xff')", "what .* left cannot be read"),
        ("path.unlink()", "what .* left cannot be read"),
    ],
)
async def test_an_editor_that_fails(body: str, message: str, edits) -> None:
    seen = edits(body)
    with pytest.raises(PunieError, match=message.replace("(", r"\(").replace(")", r"\)")) as raised:
        await edit_text("text")
    assert raised.value.hint == "export EDITOR=vi"
    assert not Path(eval(seen.read_text())[-1]).parent.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no-such-editor -w", "$EDITOR is 'no-such-editor -w', and there is no command no-such-editor"),
        ("vi 'x", "$EDITOR is 'vi 'x': No closing quotation"),
    ],
)
async def test_an_editor_that_is_not_there(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", " ")
    monkeypatch.setenv("EDITOR", value)
    with pytest.raises(UsageError) as raised:
        await edit_text("text")
    assert raised.value.message == message


async def test_no_editor_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"\$EDITOR is not set, and there is no nano and no vi"):
        await edit_text("text")


def test_visual_comes_before_editor_and_nano_before_vi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nano", "vi", "code"):
        (tmp_path / name).touch(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setenv("VISUAL", "code --wait")
    monkeypatch.setenv("EDITOR", "vi")
    assert editor.editor() == ["code", "--wait"]
    monkeypatch.delenv("VISUAL")
    assert editor.editor() == ["vi"]
    monkeypatch.delenv("EDITOR")
    assert editor.editor() == [str(tmp_path / "nano")]


async def test_control_c_is_the_editors(edits) -> None:
    edits("os.kill(os.getppid(), signal.SIGINT); path.write_text('still here')")
    before = signal.getsignal(signal.SIGINT)
    assert await edit_text("") == "still here"
    assert signal.getsignal(signal.SIGINT) is before
    assert not editor.lent()


async def test_a_cancel_ends_the_editor(edits, tmp_path: Path) -> None:
    seen = edits(f"Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); signal.pause()")
    task = asyncio.create_task(edit_text("text"))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert not Path(eval(seen.read_text())[-1]).parent.exists()
