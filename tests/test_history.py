"""The history of a project: more than one chat writes it, and what is damaged in it is passed over."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.history import FileHistory

from punie_cli.chat import history as module
from punie_cli.chat.history import History


def loaded(path: Path) -> list[str]:
    return list(History(path).load_history_strings())


@settings(max_examples=40)
@given(messages=st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1)))
def test_messages_come_back_the_newest_first(messages: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("history") / "new" / "file"
    for message in messages:
        History(path).store_string(message)
    kept = [message for message in messages if not message.startswith(" ")]
    assert loaded(path) == kept[::-1]
    assert not kept or path.stat().st_mode & 0o777 == 0o600


def test_files_of_prompt_toolkit_are_read(tmp_path: Path) -> None:
    FileHistory(tmp_path / "file").store_string("one\n\n+two")
    assert loaded(tmp_path / "file") == ["one\n\n+two"]


@settings(max_examples=40)
@given(junk=st.binary())
def test_a_damaged_file_is_survived(junk: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("history") / "file"
    History(path).store_string("before")
    with path.open("ab") as file:
        file.write(junk)
    History(path).store_string("behind\nit")
    found = loaded(path)
    assert found[0] == "behind\nit"
    assert found[-1].startswith("before")


def test_what_cannot_be_read_or_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "below"):
        History(path).store_string("lost")
        assert loaded(path) == []


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        History(tmp_path / "file").store_string(f"{number}\nsecond\nthird")
    for limit in range(100, 200):
        monkeypatch.setattr(module, "_MAX_BYTES", limit)
        found = loaded(tmp_path / "file")
        assert found == [f"{number}\nsecond\nthird" for number in range(19, 19 - len(found), -1)]
        assert 1 <= len(found) <= 4


_WRITER = """
import sys
from pathlib import Path
from punie_cli.chat.history import History
history = History(Path(sys.argv[1]))
for number in range(200):
    history.store_string(f"{sys.argv[2]} {number}\\n" + sys.argv[2] * 9000)
"""


def test_two_chats_at_once(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path / "file"), name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = loaded(tmp_path / "file")
    for name in "ab":
        assert [text for text in found if text[0] == name] == [
            f"{name} {number}\n{name * 9000}" for number in reversed(range(200))
        ]
