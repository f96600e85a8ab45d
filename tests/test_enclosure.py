"""Enclosed commands, with real processes on every mechanism that this machine has."""

import asyncio
import functools
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from punie_cli.approvals import Decision, Question, no_terminal
from punie_cli.builtins.registry import Outcome, Registry
from punie_cli.enclosure import level as levels
from punie_cli.enclosure.enclosure import Enclosure, enclosure
from punie_cli.enclosure.level import NONE, Level
from punie_cli.workspace import Workspace

registry = Registry()
PATIENCE_S = 120
PYTHON = str(Path(sys.executable).resolve())
ALLOWED = frozenset({"run", "network"})


@functools.cache
def working() -> dict[str, Level]:
    """What works on this machine, the best first, with what was seen to hold."""
    tried = [Level(each.mechanism, levels.try_out(each), each.program) for each in levels.candidates()]
    return {each.mechanism: each for each in tried if each.encloses}


@pytest.fixture(params=["bubblewrap", "namespaces", "landlock", "seatbelt"])
def level(request: pytest.FixtureRequest) -> Level:
    """Each mechanism with what was seen to hold; one that does not work here is skipped."""
    if request.param not in working():
        pytest.skip(f"no {request.param} here")
    return working()[request.param]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with secrets in it, and one file that is none."""
    home = tmp_path / "home"
    for name in (".ssh/id_rsa", ".aws/credentials", ".config/app/token", ".netrc", "notes.txt"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("planted\n")
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def root(home: Path) -> Path:
    """A project in that home, with a repository and a subfolder."""
    root = home / "project"
    (root / ".git" / "hooks").mkdir(parents=True)
    (root / ".git" / "config").write_text("kept\n")
    (root / ".punie").mkdir()
    (root / "src").mkdir()
    (root / "src" / "app.py").write_text("x = 1\n")
    return root


@pytest.fixture
def told() -> list[str]:
    """What the person was told."""
    return []


Run = Callable[..., Any]


@pytest.fixture
def run(root: Path, level: Level, told: list[str]) -> Run:
    """A command of a program, enclosed."""
    workspace = Workspace(root, no_terminal(ALLOWED), enclosure=Enclosure(level, told.append))

    async def run(command: str | list[str], **args: Any) -> dict[str, Any]:
        outcome = await registry.call("run_command", {"command": command, **args}, workspace)
        assert outcome.error is None, outcome.error
        return outcome.result

    return run


@pytest.fixture
def server() -> Generator[int]:
    """The port of a server outside."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


async def test_what_is_written(run: Run, root: Path, home: Path, level: Level) -> None:
    done = await run("echo a > new.txt && mkdir made && echo b > made/b.txt && echo c > src/app.py && rm -r made")
    assert (done["exit_code"], done["stderr"]) == (0, "")
    assert ((root / "new.txt").read_text(), (root / "src" / "app.py").read_text()) == ("a\n", "c\n")
    assert not (root / "made").exists()
    for place in (home / "out.txt", home / "notes.txt", Path("/var/tmp/punie-out.txt"), Path("/usr/punie-out.txt")):
        before = place.read_text() if place.exists() else None
        done = await run(f"echo x > {place}")
        assert done["exit_code"] != 0
        assert (place.read_text() if place.exists() else None) == before
    done = await run(f"mv {home}/notes.txt {root}/stolen; rm {home}/notes.txt; ln {home}/notes.txt linked")
    assert done["exit_code"] != 0
    assert (home / "notes.txt").read_text() == "planted\n"


async def test_a_temporary_folder_of_its_own(run: Run) -> None:
    done = await run('echo a > "$TMPDIR/a" && cat "$TMPDIR/a" && echo "$TMPDIR"')
    written, folder = done["stdout"].splitlines()
    assert (written, os.path.exists(folder)) == ("a", False)  # noqa: ASYNC240, PTH110


@pytest.mark.parametrize(
    "change",
    ["echo x > .git/config", "echo x > .git/hooks/pre-commit", "rm .git/config", "mv .git other", "ln -s ../src .git/x",
     "mv src .git/hooks/src", "chmod 777 .git/config", "echo x > .punie/config.toml"],
)  # fmt: skip
async def test_git(run: Run, root: Path, level: Level, told: list[str], change: str) -> None:
    done = await run(f"{change}; true")
    assert done["exit_code"] == 0
    if "git" in level.holds:
        assert (root / ".git" / "config").read_text() == "kept\n"
        assert sorted(p.name for p in (root / ".git").iterdir()) == ["config", "hooks"]
        assert not list((root / ".git" / "hooks").iterdir()) and not list((root / ".punie").iterdir())
        assert not any("a command changed" in text for text in told)
    elif change not in ("ln -s ../src .git/x",):
        assert any("a command changed " in text for text in told)


async def test_secrets(run: Run, home: Path, level: Level) -> None:
    if "read" not in level.holds:
        pytest.skip("secrets are not hidden")
    for name in (".ssh/id_rsa", ".aws/credentials", ".config/app/token", ".netrc"):
        done = await run(["/bin/cat", str(home / name)])
        assert (done["exit_code"] != 0, done["stdout"]) == (True, "")
    done = await run(["/bin/cat", str(home / "notes.txt")])
    assert done["stdout"] == "planted\n"


async def test_own_folders_are_hidden(run: Run, punie_home: Path, level: Level) -> None:
    (punie_home / "config").mkdir(parents=True)
    (punie_home / "config" / "config.toml").write_text("mode = 'ask'\n")
    done = await run(f"cat {punie_home}/config/config.toml || echo x > {punie_home}/config/config.toml")
    assert (done["exit_code"] != 0, done["stdout"]) == (True, "")
    assert (punie_home / "config" / "config.toml").read_text() == "mode = 'ask'\n"


CONNECT = """\
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5):
        print("connected")
except OSError as error:
    print("refused")
    raise
"""


async def test_network(run: Run, root: Path, server: int, told: list[str]) -> None:
    (root / "connect.py").write_text(CONNECT)
    for host, port in (("127.0.0.1", server), ("192.0.2.1", 80), ("::1", server)):
        done = await run([PYTHON, "connect.py", host, str(port)])
        assert (done["exit_code"], done["stdout"]) == (1, "refused\n")
        assert done["stderr"].endswith("\n(it ran enclosed, without network)\n")
    assert told[-1] == ("a command failed: it ran enclosed, without network; what you type yourself is not enclosed")


async def test_network_that_was_allowed(root: Path, level: Level, server: int, tmp_path: Path) -> None:
    (root / "connect.py").write_text(CONNECT)
    questions: list[Question] = []

    async def yes(question: Question) -> Decision:
        questions.append(question)
        return Decision(True, "person")

    workspace = Workspace(root, yes, enclosure=Enclosure(level))
    command = f"curl --version > /dev/null; {PYTHON} connect.py 127.0.0.1 {server}"
    outcome = await registry.call("run_command", {"command": command}, workspace)
    assert outcome.result["stdout"] == "connected\n"
    assert [(q.rule, q.summary) for q in questions] == [("network", f"run {command} (with network)")]


OTHERS = """\
import socket, sys
place, port = sys.argv[1], int(sys.argv[2])
for act in (
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
    lambda: socket.socket(socket.AF_UNIX).connect(place),
):
    try:
        act()
    except OSError:
        pass
a, b = socket.socketpair()
a.send(b"x")
print(b.recv(1))
"""


async def test_datagrams_and_sockets_of_other_programs(run: Run, root: Path, tmp_path: Path) -> None:
    (root / "others.py").write_text(OTHERS)
    place = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        stream.bind(place)
        stream.listen()
        datagrams.bind(("127.0.0.1", 0))
        for sock in (stream, datagrams):
            sock.setblocking(False)
        done = await run([PYTHON, "others.py", place, str(datagrams.getsockname()[1])])
        assert done["stdout"] == "b'x'\n"
        with pytest.raises(BlockingIOError):
            datagrams.recv(1)
        with pytest.raises(BlockingIOError):
            stream.accept()


DAEMON = """\
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for descriptor in range(3): os.close(descriptor)
        time.sleep(600)
    os._exit(0)
os.wait()
if len(sys.argv) > 2: time.sleep(600)
"""


@pytest.mark.parametrize("way", ["ends", "times out", "is cancelled"])
async def test_nothing_is_left_running(run: Run, root: Path, level: Level, way: str) -> None:
    if "processes" not in level.holds:
        pytest.skip("processes may be left")
    (root / "daemon.py").write_text(DAEMON)
    mark = f"punie-daemon-{os.getpid()}-{time.monotonic_ns()}"
    command = [PYTHON, "daemon.py", mark, *(["stay"] if way != "ends" else [])]
    if way == "is cancelled":
        work = asyncio.ensure_future(run(command))
        await _until(lambda: len(_marked(mark)) >= 2)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    else:
        done = await run(command, timeout_s=60 if way == "ends" else 3)
        assert done["timed_out"] is (way == "times out")
    await _until(lambda: not _marked(mark))


def _marked(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if mark in words:
            found.append(process.pid)
    return found


async def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < deadline:  # noqa: ASYNC110  (other processes tell nobody)
        await asyncio.sleep(0.02)
    assert holds()


async def test_how_a_command_ends_is_as_outside(run: Run, root: Path) -> None:
    (root / "kill.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    assert (await run([PYTHON, "kill.py"]))["exit_code"] == -15
    assert (await run(["/bin/sh", "-c", "echo out; echo err >&2; exit 7"])) == {
        "success": False, "exit_code": 7, "stdout": "out\n", "stderr": "err\n", "timed_out": False, "truncated": False,
    }  # fmt: skip
    assert (await run("pwd"))["stdout"] == f"{root}\n"
    assert (await run("cat"))["stdout"] == ""
    assert (await run(["/bin/echo", "a b", "--", ""]))["stdout"] == "a b -- \n"
    assert (await run("yes | head -c 200000"))["truncated"] is True


async def test_what_cannot_be_started(root: Path, level: Level) -> None:
    (root / "plain").write_text("x")
    workspace = Workspace(root, no_terminal(ALLOWED), enclosure=Enclosure(level))
    outcome = await registry.call("run_command", {"command": ["./plain"]}, workspace)
    assert outcome.error == {"kind": "PermissionError", "message": "Permission denied: 'plain'"}


async def run_tests(root: Path, level: Level) -> Outcome:
    workspace = Workspace(root, no_terminal(ALLOWED), enclosure=Enclosure(level))
    return await registry.call("test", {"path": "."}, workspace)


async def test_pytest_and_a_hostile_conftest(
    root: Path, home: Path, level: Level, monkeypatch: pytest.MonkeyPatch, server: int
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    (root / "pytest.ini").write_text("[pytest]\naddopts = -p no:asyncio -p no:hypothesispytest\n")
    (root / "conftest.py").write_text(
        "import pathlib, socket\n"
        "def attempt(act):\n"
        "    try: act()\n"
        "    except OSError: pass\n"
        f"home = pathlib.Path({str(home)!r})\n"
        "attempt(lambda: (home / '.bashrc').write_text('evil'))\n"
        "attempt(lambda: (home / 'notes.txt').write_text('evil'))\n"
        f"attempt(lambda: socket.create_connection(('127.0.0.1', {server}), 2))\n"
    )
    (root / "test_a.py").write_text(
        "def test_tmp(tmp_path): (tmp_path / 'a').write_text('a')\ndef test_fails(): assert 1 == 2\n"
    )
    outcome = await run_tests(root, level)
    result = outcome.result
    assert (result["tool_error"], result["passed"], result["failed"], result["errors"]) == (None, 1, 1, 0)
    assert not (home / ".bashrc").exists() and (home / "notes.txt").read_text() == "planted\n"


async def test_a_commit(root: Path, level: Level) -> None:
    if shutil.which("git") is None:
        pytest.skip("no git here")
    shutil.rmtree(root / ".git")
    asked: list[str] = []

    async def yes(question: Question) -> Decision:
        asked.append(f"{question.rule}: {question.summary}")
        return Decision(True, "person")

    workspace = Workspace(root, yes, enclosure=Enclosure(level))

    async def git(*words: str) -> dict[str, Any]:
        return (await registry.call("run_command", {"command": ["git", *words]}, workspace)).result

    assert (await git("init", "-q"))["success"]
    with (root / ".git" / "config").open("a") as file:
        file.write("[user]\n\tname = a\n\temail = a@b\n")
    before = (root / ".git" / "config").read_text()
    assert (await git("add", "src"))["stderr"] == ""
    assert (await git("commit", "-q", "-m", "first"))["stderr"] == ""
    assert (await git("log", "--format=%s"))["stdout"] == "first\n"
    await git("config", "core.fsmonitor", "evil")
    if "git" in level.holds:
        assert (root / ".git" / "config").read_text() == before
    assert asked == [
        "run: run git init -q (.git can be written)",
        "run: run git add src (.git can be written)",
        "run: run git commit -q -m first (.git can be written)",
        "run: run git log --format=%s",
        "run: run git config core.fsmonitor evil",
    ]


ESCAPES = [
    "mount -o remount,rw /", "mount -o remount,rw,bind / /", "umount -l {home}/.ssh", "mount --bind /tmp {home}",
    "unshare -Urm sh -c 'mount -o remount,rw,bind / /; umount -l {home}/.ssh; cat {home}/.ssh/id_rsa'",
    "unshare -Urm sh -c 'mount -o remount,rw,bind / /; echo x > {home}/notes.txt'",
    "nsenter -t 1 -m cat {home}/.ssh/id_rsa", "ln {home}/.ssh/id_rsa key; cat key",
    "cat /proc/1/root{home}/.ssh/id_rsa",
    "cp -a {home}/.ssh . ; cat .ssh/id_rsa", "mv {home}/.ssh moved; cat moved/id_rsa",
    "ln -s {home}/.ssh link; cat link/id_rsa", "kill -9 {pid}", "truncate -s 0 {home}/notes.txt",
]  # fmt: skip


@pytest.mark.parametrize("escape", ESCAPES)
async def test_ways_out(run: Run, home: Path, escape: str) -> None:
    # A process outside, which is not punie's own: a signal would end the tests.
    outside = await asyncio.create_subprocess_exec("/bin/sleep", "600")
    try:
        done = await run(f"{escape.format(home=home, pid=outside.pid)}; true")
        assert "planted" not in done["stdout"]
        assert (home / "notes.txt").read_text() == (home / ".ssh" / "id_rsa").read_text() == "planted\n"
        assert outside.returncode is None and psutil.pid_exists(outside.pid)
        assert psutil.Process(outside.pid).status() != psutil.STATUS_ZOMBIE
    finally:
        outside.kill()
        await outside.wait()


async def test_where_nothing_can_be_enclosed_everything_asks(root: Path, told: list[str]) -> None:
    workspace = Workspace(root, no_terminal(ALLOWED), enclosure=Enclosure(NONE, told.append))
    for command in ("ls", "touch made"):
        outcome = await registry.call("run_command", {"command": command}, workspace)
        assert outcome.error == {
            "kind": "PermissionError",
            "message": f"refused: outside {command} (nobody at the terminal; run again with --allow outside)",
        }
    assert len(told) == 1
    assert told[0].startswith("commands and tests cannot be enclosed on this machine: everything is asked about (")


async def test_open_is_as_before_and_says_so(root: Path) -> None:
    asked: list[Question] = []

    async def yes(question: Question) -> Decision:
        asked.append(question)
        return Decision(True, "person")

    workspace = Workspace(root, yes, enclosure=enclosure("open"))
    for command in ("ls", "touch made"):
        assert (await registry.call("run_command", {"command": command}, workspace)).ok
    assert [(q.rule, q.summary) for q in asked] == [("run", "run touch made (not enclosed)")]
    assert (root / "made").exists()


def test_the_level_is_tried_once_and_kept(punie_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels._level.cache_clear()
    found = levels.level()
    assert found.mechanism == next(iter(working()), "none")

    def never() -> Level:
        raise AssertionError("tried again")

    monkeypatch.setattr(levels, "probe", never)
    levels._level.cache_clear()
    assert levels.level() == found
    monkeypatch.undo()
    monkeypatch.setenv("PUNIE_HOME", str(punie_home))
    (punie_home / "cache" / "enclosure.json").write_text("[]")
    levels._level.cache_clear()
    assert levels.level() == found
