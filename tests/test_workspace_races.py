"""What happens under a workspace while it is used: folders that become links, and a process that is killed."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from punie_cli import confine
from punie_cli.databases import identity
from punie_cli.errors import PunieError
from punie_cli.journal import Journal, Place, journal_file
from punie_cli.undo import take_back
from punie_cli.workspace import Workspace

ROUNDS = 400
STEP = 31
"""Lines from one kill to the next; with 1 all of them pass too, and take minutes."""


def test_nothing_outside_is_touched_while_a_folder_is_swapped_for_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder, text in ((root / "in", "inside"), (outside, "outside")):
        folder.mkdir(parents=True)
        (folder / "file").write_text(text)
        (folder / "gone").write_text(text)
    (outside / "only-there").write_text("outside")
    (root / "link").symlink_to(outside)
    ended = threading.Event()

    place, aside, link = root / "in", root / "aside", root / "link"

    def swap() -> None:
        # The folder and a link to the outside change places under one name, again and again.
        while not ended.is_set():
            for act in (
                lambda: place.rename(aside),
                lambda: link.rename(place),
                lambda: place.is_symlink() and place.rename(link),
                # A write may have made a folder of that name in between.
                lambda: place.is_dir() and shutil.rmtree(place),
                lambda: aside.rename(place),
            ):
                with contextlib.suppress(OSError):
                    act()

    before = {path.name: path.read_text() for path in outside.iterdir()}
    workspace, read, listed = Workspace(root), set(), set()
    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for n in range(ROUNDS):
            acts = (
                lambda: read.add(workspace.read_text("in/file")),
                lambda: read.add(confine.read_bytes(root, "in/file", 100).decode()),
                lambda n=n: confine.replace_bytes(root, "in/file", f"inside {n}".encode()),
                lambda n=n: confine.replace_bytes(root, f"in/new-{n % 5}/file", b"inside"),
                lambda: confine.remove(root, "in/gone"),
                lambda: confine.remove_folder(root, "in/new-1"),
                lambda: confine.remove_leftovers(root, "in/file"),
                lambda: listed.update(confine.walk(root)),
            )
            for act in acts:
                # Refused, or done inside.
                with contextlib.suppress(OSError, ValueError):
                    act()
    finally:
        ended.set()
        swapping.join()
    assert {path.name: path.read_text() for path in outside.iterdir()} == before
    assert {text[:6] for text in read} <= {"inside"}
    assert not any("only-there" in path for path in listed)


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a FIFO, a socket and, where one may be made, a device."""
    root = tmp_path / "root"
    root.mkdir()
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
    try:
        os.mknod(root / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        with (root / "device").open("wb"):
            pass
    except OSError:
        (root / "device").unlink(missing_ok=True)
        os.mkfifo(root / "device")
    return root


@pytest.mark.parametrize("name", ["pipe", "socket", "device"])
async def test_special_files_are_neither_read_nor_replaced(odd: Path, name: str) -> None:
    workspace = Workspace(odd)
    kind = stat.S_IFMT((odd / name).stat().st_mode)
    refused = f"'{name}' is not a regular file"
    with pytest.raises(PermissionError, match=refused):
        workspace.read_text(name)
    with pytest.raises(PermissionError, match=refused):
        await workspace.write_text(name, "x")
    with pytest.raises(PermissionError, match=refused):
        confine.remove(odd, name)
    assert stat.S_IFMT((odd / name).stat().st_mode) == kind
    assert len(os.listdir(odd)) == 3  # noqa: PTH208


def test_what_follows_a_link_to_itself_leads_nowhere(tmp_path: Path) -> None:
    """Found by the fuzzer: realpath leaves the rest of such a path as it is, links and all."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "self").symlink_to("self")
    (root / "out").symlink_to("../outside")
    for path in ("self/../out", "self/../out/a.py", "self/../self/../out/deeper/a.py"):
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            Workspace(root).resolve(path, exists=False)


async def test_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for text in ("\ufeffmark\r\n", "a\r\nb\nc\r", "no end", "", "\n", "é\u2028\x85\x0c"):
        (tmp_path / "a.txt").write_bytes(text.encode())
        assert workspace.read_text("a.txt") == text
        await workspace.write_text("b.txt", text)
        assert (tmp_path / "b.txt").read_bytes() == text.encode()
    for data in ("café".encode("latin-1"), "a".encode("utf-16"), b"\xff\xfe"):
        (tmp_path / "a.txt").write_bytes(data)
        with pytest.raises(ValueError, match=r"'a\.txt' is not a text file \(UTF-8\)"):
            workspace.read_text("a.txt")


@pytest.mark.parametrize(
    "path",
    [".git", ".Git/x", "a/.GIT/hooks/x", ".gitmodules", ".GitModules", ".punie", ".PUNIE/config.toml", ".git./x",
     ".git /config", "git~1/config"],
)  # fmt: skip
def test_what_git_or_punie_would_act_on_is_not_written_even_where_it_is_absent(tmp_path: Path, path: str) -> None:
    with pytest.raises(PermissionError, match="is protected"):
        Workspace(tmp_path).resolve_new(path)


def test_the_folder_that_a_git_file_points_at_is_protected_too(tmp_path: Path) -> None:
    """A worktree, a submodule or a bare repository: git acts on what is in it, whatever its name is."""
    for name in ("HEAD", "config"):
        (tmp_path / "store" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "store" / name).write_text("")
    for name in ("objects", "refs", "hooks"):
        (tmp_path / "store" / name).mkdir()
    for path in ("store/config", "store/hooks/post-commit", "store/HEAD"):
        with pytest.raises(PermissionError, match="is protected"):
            Workspace(tmp_path).resolve_new(path)
    assert Workspace(tmp_path).resolve_new("other/config") == "other/config"


# Killed

# Forks, and lets the child be killed by SIGKILL at its Nth line of punie's code that writes and takes back.
_KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from punie_cli import confine, journal, undo
from punie_cli.journal import Journal, Place
journal._SYNCHRONOUS = "OFF"
os.fsync = lambda descriptor: None
OURS = {module.__file__ for module in (confine, journal, undo)}
base, step = Path(sys.argv[1]), int(sys.argv[2])

def act(root):
    kept = Journal(root, lambda: Place("one", 2, 1))
    kept.replace("a.txt", b"second")
    kept.replace("new/b.txt", b"second")
    undo.take_back(kept)

def killed_at(limit, root):
    left = [limit]
    def trace(frame, event, argument):
        if frame.f_code.co_filename not in OURS:
            return None
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    act(root)
    os._exit(7)

limit = 1
while True:
    home = base / str(limit)
    os.environ["PUNIE_HOME"] = str(home / "home")
    root = home / "project"
    root.mkdir(parents=True)
    (root / "a.txt").write_bytes(b"zero")
    with_first = Journal(root, lambda: Place("one", 1, 1))
    with_first.replace("a.txt", b"first")
    with_first.close()
    pid = os.fork()
    if pid == 0:
        killed_at(limit, root)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 7
        break
    print(limit, flush=True)
    limit += step
print("whole", limit, flush=True)
"""


def test_a_kill_at_any_line_leaves_the_state_before_or_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", _KILLED, str(tmp_path), str(STEP)]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True)
    *limits, whole = done.stdout.splitlines()
    assert whole.startswith("whole") and len(limits) > 8
    seen = set()
    for limit in limits:
        monkeypatch.setenv("PUNIE_HOME", str(tmp_path / limit / "home"))
        root = tmp_path / limit / "project"
        seen.add(_text(root / "a.txt"))
        assert _text(root / "a.txt") in ("first", "second"), limit
        assert _text(root / "new/b.txt") in (None, "second"), limit
        with closing(Journal(root)) as kept:
            # However far it came: each undo gives one turn back, until nothing is left.
            for _ in range(3):
                try:
                    take_back(kept)
                except PunieError as error:
                    assert error.message.startswith("nothing to undo"), limit
            assert kept.writes("undone IS NULL") == []
        assert [(path.name, path.read_text()) for path in root.rglob("*") if path.is_file()] == [("a.txt", "zero")]
    assert seen == {"first", "second"}


def test_a_journal_cut_anywhere_is_whole_or_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("punie_cli.journal._SYNCHRONOUS", "OFF")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.txt").write_text("zero")
    with closing(Journal(root, lambda: Place("one", 1, 1))) as kept:
        kept.replace("a.txt", b"first")
    whole = journal_file().read_bytes()
    # All the first bytes, then around each page and sector, then every so often.
    points = {*range(120), *range(0, len(whole), 509), len(whole) - 1, len(whole)}
    points |= {page + n for page in range(0, len(whole), 512) for n in (-1, 0, 1)}
    ends = set()
    for point in sorted(point for point in points if 0 <= point <= len(whole)):
        journal_file().write_bytes(whole[:point])
        (root / "a.txt").write_text("first")
        with closing(Journal(root)) as kept:
            try:
                take_back(kept)
            except PunieError as error:
                assert error.hint is None or "mv " in error.hint, (point, error)
        ends.add((_text(root / "a.txt"), point == len(whole)))
        assert [path.name for path in root.iterdir()] == ["a.txt"]
    assert ends == {("first", False), ("zero", True)}


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


_WRITER = """
import itertools, sys
from pathlib import Path
from punie_cli.journal import Journal, Place
turn = 0
kept = Journal(Path(sys.argv[1]), lambda: Place("one", turn, 1))
for turn in itertools.count(1):
    kept.replace("a.txt", f"{turn}".encode() * 1000)
    print(turn, flush=True)
"""


def test_a_process_that_is_killed_while_it_writes(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    command = [sys.executable, "-c", _WRITER, str(root)]
    for after in (1, 2, 3):
        with subprocess.Popen(command, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in itertools.islice(process.stdout, after):
                pass
            process.send_signal(signal.SIGKILL)
        text = (root / "a.txt").read_text()
        assert text == text[:1] * 1000
        with closing(Journal(root)) as kept:
            count = len(kept.writes("undone IS NULL"))
            assert count >= after
            for _ in range(count):
                take_back(kept)
        assert list(root.iterdir()) == []
    assert identity(root / "a.txt") is None
    shutil.rmtree(journal_file().parent)
