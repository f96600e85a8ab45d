"""Running commands: what they may see, and that nothing of them is left running."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from punie_cli.processes import search_path
from punie_cli.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty project."""
    root = tmp_path / "project"
    root.mkdir()
    return Workspace(root)


def test_search_path_leaves_out_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "project"
    for folder in ("project/bin", "tools", "other"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "sly").symlink_to(root / "bin")
    entries = [
        root / "bin",
        "",
        "bin",
        ".",
        tmp_path / "tools",
        tmp_path / "sly",
        tmp_path / "tools",
        tmp_path / "other",
    ]
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, entries)))
    assert search_path(root) == f"{tmp_path / 'tools'}{os.pathsep}{tmp_path / 'other'}"


def test_which_takes_nothing_that_a_link_leads_into_the_workspace(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tools").mkdir()
    tool = workspace.root / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    (tmp_path / "tools" / "tool").symlink_to(tool)
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    assert workspace.which("tool") is None


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def test_run_environment_and_streams(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("LC_TIME", "C")
    code = (
        "import os, sys; print(sorted(set(os.environ) & {'OPENAI_API_KEY', 'LC_TIME', 'TERM'}), os.getcwd());"
        "print(repr(sys.stdin.read()), file=sys.stderr); sys.exit(3)"
    )
    done = await workspace.run(python(code), timeout_s=60)
    assert done.stdout == f"['LC_TIME', 'TERM'] {workspace.root}\n"
    assert (done.stderr, done.exit_code, done.timed_out, done.truncated) == ("''\n", 3, False, False)


async def test_run_keeps_head_and_tail(workspace: Workspace) -> None:
    code = "import sys; sys.stdout.write('a' * 50_000 + 'b' * 50_000); sys.stderr.write('c' * 10)"
    done = await workspace.run(python(code), timeout_s=60, output_bytes=100)
    assert done.stdout == "a" * 50 + "\n… 99900 bytes left out …\n" + "b" * 50
    assert (done.stderr, done.truncated) == ("c" * 10, True)


# A child and a grandchild that both hold the pipes; the file says which processes they were.
_FAMILY = (
    "import os, sys, time, subprocess\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "open('pids', 'w').write(f'{os.getpid()} {child.pid}')\n"
    "print('started', flush=True)\n"
)


def alive(pid: int) -> bool:
    """False for a process that has ended, also while nobody has reaped it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")


async def gone(pids: str) -> bool:
    for pid in map(int, pids.split()):
        for _ in range(2000):
            if not alive(pid):
                break
            await asyncio.sleep(0.01)
        else:
            return False
    return True


@pytest.mark.parametrize("ending", ["time.sleep(600)", "pass"], ids=["deadline", "background"])
async def test_run_leaves_no_process(workspace: Workspace, ending: str) -> None:
    done = await workspace.run(python(_FAMILY + ending), timeout_s=3 if "sleep" in ending else 300)
    assert done.stdout == "started\n"
    assert (done.timed_out, done.exit_code) == ((True, -9) if "sleep" in ending else (False, 0))
    assert await gone((workspace.root / "pids").read_text())


async def test_cancel_leaves_no_process(workspace: Workspace) -> None:
    os.mkfifo(workspace.root / "pids")  # read when both processes are there
    task = asyncio.create_task(workspace.run(python(_FAMILY + "time.sleep(600)"), timeout_s=600))
    pids = await asyncio.to_thread((workspace.root / "pids").read_text)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(pids)


async def test_a_grandchild_that_left_the_group_does_not_hold_the_call(workspace: Workspace) -> None:
    code = (
        "import subprocess, sys\n"
        "code = 'import time; time.sleep(600)'\n"
        "print(subprocess.Popen([sys.executable, '-c', code], start_new_session=True).pid)"
    )
    done = await workspace.run(python(code), timeout_s=300)
    assert (done.exit_code, done.timed_out) == (0, False)
    os.kill(int(done.stdout), 9)


async def test_run_raises_for_what_cannot_start(workspace: Workspace) -> None:
    with pytest.raises(FileNotFoundError):
        await workspace.run([str(workspace.root / "nothing")], timeout_s=60)
