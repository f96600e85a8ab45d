"""The undo journal: what was written is taken back and put back, and no foreign change is ever lost."""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from punie_cli import confine, journal
from punie_cli.errors import PunieError
from punie_cli.journal import Journal, Place, journal_file
from punie_cli.undo import Change, ChangedSince, changes_of, put_back, take_back
from punie_cli.workspace import Workspace


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test can take the power away: nothing waits for the disk."""
    monkeypatch.setattr(journal, "_SYNCHRONOUS", "OFF")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def write(root: Path, turn: int, path: str, text: str, session: str = "one") -> None:
    with closing(Journal(root, lambda: Place(session, turn, 1))) as kept:
        asyncio.run(Workspace(root, journal=kept).write_text(path, text))


def tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): "/" if path.is_dir() else path.read_text()
        for path in sorted(root.rglob("*"))
    }


def test_a_turn_is_taken_back_and_put_back_whole(root: Path) -> None:
    (root / "a.py").write_text("a\n")
    (root / "a.py").chmod(0o755)
    write(root, 1, "a.py", "b\n")
    write(root, 1, "a.py", "c\n")
    write(root, 1, "pkg/inner/new.py", "n\n")
    (root / "pkg/inner/new.py").chmod(0o744)
    after = tree(root)
    done = take_back(Journal(root), "one")
    assert tree(root) == {"a.py": "a\n"}
    assert (done.session, done.turn, done.paths) == ("one", 1, ("a.py", "pkg/inner/new.py"))
    assert done.changes == (Change("a.py", b"c\n", b"a\n"), Change("pkg/inner/new.py", b"n\n", None))
    assert done.removed == ("pkg/inner", "pkg")
    with pytest.raises(PunieError, match=f"nothing to undo: punie wrote no file in {root}"):
        take_back(Journal(root), "one")
    assert put_back(Journal(root)).changes == (
        Change("a.py", b"a\n", b"c\n"),
        Change("pkg/inner/new.py", None, b"n\n"),
    )
    assert tree(root) == after
    assert [(root / path).stat().st_mode & 0o777 for path in ("a.py", "pkg/inner/new.py")] == [0o755, 0o744]
    with pytest.raises(PunieError, match="nothing to redo"):
        put_back(Journal(root))


def test_turns_go_back_one_by_one_and_forth_in_the_other_order(root: Path) -> None:
    seen = [tree(root)]
    for turn, path in enumerate(["a.py", "b.py", "a.py"], 1):
        write(root, turn, path, f"{turn}\n")
        seen.append(tree(root))
    for expected in (seen[2], seen[1], seen[0]):
        take_back(Journal(root), "one")
        assert tree(root) == expected
    for expected in (seen[1], seen[2], seen[3]):
        put_back(Journal(root))
        assert tree(root) == expected


def test_turns_of_the_same_number_are_two(root: Path) -> None:
    for mark in ("before", "after"):
        with closing(Journal(root, lambda mark=mark: Place("one", 2, 1, mark))) as kept:
            kept.replace(f"{mark}.py", b"x")
    assert [change.path for change in changes_of(Journal(root), "one", 2)] == ["after.py"]
    take_back(Journal(root), "one")
    assert tree(root) == {"before.py": "x"}


def test_a_new_write_ends_the_redo_of_its_file_alone(root: Path) -> None:
    write(root, 1, "a.py", "1\n")
    write(root, 2, "b.py", "2\n")
    take_back(Journal(root), "one")
    take_back(Journal(root), "one")
    write(root, 3, "a.py", "3\n")
    put_back(Journal(root))
    assert tree(root) == {"a.py": "3\n", "b.py": "2\n"}
    with pytest.raises(PunieError, match="nothing to redo"):
        put_back(Journal(root))


def _edit(path: Path) -> None:
    path.write_text("mine\n")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_edit, "a.py has changed since"),
        (Path.unlink, "a.py is gone"),
        (_folder, "a.py is a folder now"),
        (_link, "a.py is a link now"),
        (_fifo, "'a.py' is not a regular file"),
    ],
)
def test_a_foreign_change_keeps_the_turn_as_it_is(change, words: str, root: Path) -> None:
    (root / "a.py").write_text("old\n")
    write(root, 1, "a.py", "new\n")
    write(root, 1, "b.py", "new\n")
    change(root / "a.py")
    before = sorted(root.iterdir())
    with pytest.raises(ChangedSince) as caught:
        take_back(Journal(root), "one")
    assert (caught.value.message, caught.value.others) == (f"{words}; nothing was taken back", ("b.py",))
    assert (sorted(root.iterdir()), (root / "b.py").read_text()) == (before, "new\n")
    assert take_back(Journal(root), "one", "b.py").paths == ("b.py",)
    assert not (root / "b.py").exists()


def test_a_folder_that_became_a_link_is_not_followed(root: Path) -> None:
    write(root, 1, "pkg/a.py", "new\n")
    (root / "pkg").rename(root.parent / "outside")
    (root / "pkg").symlink_to(root.parent / "outside")
    with pytest.raises(ChangedSince, match="'pkg' in 'pkg' is not a folder; nothing was taken back"):
        take_back(Journal(root), "one")
    assert (root.parent / "outside/a.py").read_text() == "new\n"


def test_what_another_session_wrote_since_is_foreign(root: Path) -> None:
    write(root, 1, "a.py", "1\n", "one")
    write(root, 4, "a.py", "2\n", "two")
    write(root, 5, "a.py", "1\n", "two")
    with pytest.raises(ChangedSince, match=r"a\.py was written again in turn 5 of session two"):
        take_back(Journal(root), "one")
    # A new session begins with what was written last.
    assert [take_back(Journal(root), "three").turn, take_back(Journal(root), "three").session] == [5, "two"]
    take_back(Journal(root), "one")
    assert tree(root) == {}


def test_a_created_file_that_was_deleted_is_no_obstacle(root: Path) -> None:
    write(root, 1, "a.py", "1\n")
    write(root, 1, "b.py", "1\n")
    (root / "a.py").unlink()
    assert [change.path for change in take_back(Journal(root), "one").changes] == ["b.py"]


def test_a_dry_run_touches_nothing(root: Path) -> None:
    write(root, 1, "a.py", "1\n")
    assert take_back(Journal(root), dry=True).changes == (Change("a.py", b"1\n", None),)
    assert tree(root) == {"a.py": "1\n"}
    assert take_back(Journal(root)).turn == 1


def test_all_files_or_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, 1, "a.py", "1\n")
    write(root, 1, "b.py", "1\n")
    (root / "a.py").chmod(0o755)
    remove = confine.remove

    def full(place: Path, relative: str) -> None:
        if relative == "b.py":
            raise OSError(28, "No space left on device")
        remove(place, relative)

    monkeypatch.setattr(confine, "remove", full)
    with pytest.raises(PunieError, match=r"b\.py cannot be written: No space left on device; nothing was taken back"):
        take_back(Journal(root), "one")
    assert (tree(root), (root / "a.py").stat().st_mode & 0o777) == ({"a.py": "1\n", "b.py": "1\n"}, 0o755)


def test_what_a_session_changed(root: Path) -> None:
    (root / "a.py").write_text("0\n")
    write(root, 1, "a.py", "1\n")
    write(root, 2, "a.py", "2\n")
    write(root, 2, "b.py", "2\n")
    write(root, 1, "c.py", "2\n", "other")
    (root / "a.py").write_text("mine\n")
    assert changes_of(Journal(root), "one") == [Change("a.py", b"0\n", b"mine\n"), Change("b.py", None, b"2\n")]
    assert changes_of(Journal(root), "one", 2) == [Change("a.py", b"1\n", b"2\n"), Change("b.py", None, b"2\n")]
    assert changes_of(Journal(root), "none") == []


_KILLED = """
import asyncio, os, sys
from pathlib import Path
from punie_cli import confine
from punie_cli.journal import Journal, Place
from punie_cli.undo import take_back
root, where = Path(sys.argv[1]), sys.argv[2]
def stop(*args, **kwargs):
    os._exit(9)
journal = Journal(root, lambda: Place("one", 1, 1))
if where == "write":
    confine.replace_bytes = stop
    journal.replace("a.py", b"new\\n")
replace = confine.replace_bytes
def second(root, relative, *rest):
    if relative == "b.py":
        stop()
    replace(root, relative, *rest)
confine.replace_bytes = second
take_back(journal)
"""


def _killed(root: Path, where: str) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, str(root), where], cwd=Path(__file__).parent.parent)
    assert done.returncode == 9


def test_killed_before_the_file_was_replaced(root: Path) -> None:
    (root / "a.py").write_text("old\n")
    _killed(root, "write")
    assert tree(root) == {"a.py": "old\n"}
    assert take_back(Journal(root)).changes == ()
    assert tree(root) == {"a.py": "old\n"}


def test_killed_in_the_middle_of_an_undo(root: Path) -> None:
    for name in ("a.py", "b.py"):
        (root / name).write_text("old\n")
        write(root, 1, name, "new\n")
    _killed(root, "undo")
    assert tree(root) == {"a.py": "old\n", "b.py": "new\n"}
    assert [change.path for change in take_back(Journal(root)).changes] == ["b.py"]
    assert tree(root) == {"a.py": "old\n", "b.py": "old\n"}


_WRITER = """
import sys
from pathlib import Path
from punie_cli import journal
journal._SYNCHRONOUS = "OFF"
from punie_cli.journal import Journal, Place
name = sys.argv[2]
for turn in range(1, 11):
    journal = Journal(Path(sys.argv[1]), lambda: Place(name, turn, 1), print)
    journal.replace(f"{name}.txt", f"{turn}".encode())
    journal.replace("both.txt", f"{name} {turn}".encode())
"""


def test_two_processes_at_once(root: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(root)]
    both = [subprocess.Popen([*command, name], cwd=Path(__file__).parent.parent) for name in ("one", "two")]
    assert [process.wait() for process in both] == [0, 0]
    writes = Journal(root).writes()
    assert len(writes) == 40
    # Each write of the file that both write begins where the one before it ended.
    shared = [(write.before, write.after) for write in writes if write.path == "both.txt"]
    assert [before for before, _ in shared] == [None, *(after for _, after in shared[:-1])]
    assert len(Journal(root).writes("session = 'one'")) == 20


def test_a_write_that_fails_leaves_no_entry(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write(root, 1, "folder", "x")
    (root / "a.py").write_text("old\n")

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        write(root, 1, "a.py", "x")
    assert Journal(root).writes() == []


def test_a_journal_that_is_broken_stops_no_write(root: Path) -> None:
    journal_file().parent.mkdir(parents=True)
    journal_file().write_text("no database" * 100)
    told: list[str] = []
    kept = Journal(root, lambda: Place("one", 1, 1), told.append)
    kept.replace("a.py", b"1")
    kept.replace("a.py", b"2")
    reason = f"{journal_file()} cannot be used: file is not a database"
    assert (tree(root), told) == ({"a.py": "2"}, [f"/undo will not know of this write to a.py: {reason}"])


def test_the_oldest_turns_are_dropped_but_none_of_this_session(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_ENTRIES", 4)
    for turn in (1, 2):
        for name in ("a.py", "b.py"):
            write(root, turn, name, f"{turn}", "old")
    write(root, 1, "c.py", "1", "new")
    assert [(w.session, w.turn) for w in Journal(root).writes()] == [("old", 2), ("old", 2), ("new", 1)]
    for turn in range(2, 8):
        write(root, turn, "c.py", f"{turn}", "new")
    assert [w.turn for w in Journal(root).writes()] == list(range(1, 8))
    monkeypatch.setattr(journal, "MAX_ENTRIES", 1000)
    monkeypatch.setattr(journal, "MAX_BYTES", 100)
    other = root.parent / "other"
    other.mkdir()
    write(other, 1, "big.txt", "x" * 200, "third")
    assert [w.session for w in Journal(root).writes()] == []
    assert [w.session for w in Journal(other).writes()] == ["third"]
    assert take_back(Journal(other), "third").changes == (Change("big.txt", b"x" * 200, None),)


def test_the_journal_is_private(root: Path) -> None:
    write(root, 1, "a.py", "1")
    assert journal_file().stat().st_mode & 0o777 == 0o600
    assert journal_file().parent.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o077 for path in journal_file().parent.glob("journal.*")} == {0}


def test_a_damaged_content_is_not_written_back(root: Path) -> None:
    import sqlite3

    (root / "a.py").write_text("old\n")
    write(root, 1, "a.py", "new\n")
    with sqlite3.connect(journal_file()) as db:
        db.execute("UPDATE blobs SET data = X'00' WHERE hash = ?", (hashlib.sha256(b"old\n").hexdigest(),))
    db.close()
    with pytest.raises(PunieError, match="is damaged"):
        take_back(Journal(root))
    assert tree(root) == {"a.py": "new\n"}


NAMES = st.sampled_from(["a.txt", "b.txt", "new/c.txt"])


class Undoing(RuleBasedStateMachine):
    """Writes of two sessions, foreign changes, undo and redo, each by a journal that was just opened.

    What undo and redo may do to a file: put in place what it held before or after the writes they name, and only
    where it held the other. A foreign text, each unlike all others, never goes.
    """

    @initialize()
    def begin(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="punie-undo-"))
        self.before = os.environ.get("PUNIE_HOME")
        os.environ["PUNIE_HOME"] = str(self.base / "home")
        self.root = self.base / "project"
        self.root.mkdir()
        self.turns = {"one": 1, "two": 1}
        self.n = 0
        self.foreign: dict[str, str] = {}

    def teardown(self) -> None:
        if self.before is None:
            del os.environ["PUNIE_HOME"]
        else:
            os.environ["PUNIE_HOME"] = self.before
        shutil.rmtree(self.base)

    def text(self, kind: str) -> str:
        self.n += 1
        return f"{kind} {self.n}"

    @rule(path=NAMES, session=st.sampled_from(["one", "two"]), new=st.booleans())
    def write(self, path: str, session: str, new: bool) -> None:
        self.turns[session] += new
        before = tree(self.root)
        write(self.root, self.turns[session], path, self.text("punie"), session)
        self.foreign.pop(path, None)
        if new:
            # With nothing in between, undo is the exact inverse, and redo that of undo.
            after = tree(self.root)
            take_back(Journal(self.root), session)
            assert tree(self.root) == before
            put_back(Journal(self.root))
            assert tree(self.root) == after

    @rule(path=NAMES)
    def edit(self, path: str) -> None:
        (self.root / path).parent.mkdir(exist_ok=True)
        (self.root / path).write_text(self.text("foreign"))
        self.foreign[path] = (self.root / path).read_text()

    @rule(path=NAMES)
    def delete(self, path: str) -> None:
        (self.root / path).unlink(missing_ok=True)
        self.foreign.pop(path, None)

    @rule(session=st.sampled_from(["one", "two", "three"]), path=NAMES | st.none())
    def undo(self, session: str, path: str | None) -> None:
        self.attempt(lambda: take_back(Journal(self.root), session, path))

    @rule(path=NAMES | st.none())
    def redo(self, path: str | None) -> None:
        self.attempt(lambda: put_back(Journal(self.root), path))

    def attempt(self, act) -> None:
        before = tree(self.root)
        try:
            done = act()
        except PunieError:
            assert tree(self.root) == before
            return
        files = {path: text for path, text in before.items() if text != "/"}
        for change in done.changes:
            assert files.pop(change.path, None) == (None if change.old is None else change.old.decode())
            if change.new is not None:
                files[change.path] = change.new.decode()
        assert {path: text for path, text in tree(self.root).items() if text != "/"} == files

    @invariant()
    def no_foreign_text_is_lost(self) -> None:
        for path, text in getattr(self, "foreign", {}).items():
            assert (self.root / path).read_text() == text


TestUndoing = Undoing.TestCase
TestUndoing.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
