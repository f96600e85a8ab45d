"""Run a command to its end, a deadline or a cancel, and leave nothing of it running."""

import asyncio
import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KEPT_VARIABLES = ("HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
_POLL_S = 0.05
_DRAIN_S = 1.0


@dataclass(frozen=True)
class Completed:
    """How a command ended; `exit_code` is negative for a signal. Text is UTF-8 with � for other bytes."""

    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool = False
    truncated: bool = False
    refused: str | None = None
    """Why the enclosure seems to have refused it; also the last line of `stderr`."""


def search_path(root: Path) -> str:
    """The user's PATH without empty and relative entries and without anything inside `root`."""
    entries = []
    for entry in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if not Path(entry).is_absolute() or Path(os.path.realpath(entry)).is_relative_to(root):
            continue
        if entry not in entries:
            entries.append(entry)
    return os.pathsep.join(entries)


def child_environment(root: Path) -> dict[str, str]:
    """Environment of a child: a short list of harmless variables, so that no key or token goes along."""
    kept = {k: v for k, v in os.environ.items() if k in _KEPT_VARIABLES or k.startswith("LC_")}
    return {**kept, "PATH": search_path(root), "TERM": "dumb", "NO_COLOR": "1"}


def which(name: str, root: Path) -> str | None:
    """The executable that `name` means on the child's PATH; never one inside `root`."""
    found = shutil.which(name, path=search_path(root))
    if found is None or Path(os.path.realpath(found)).is_relative_to(root):
        return None
    return found


async def run(
    argv: list[str], *, cwd: Path, env: dict[str, str], timeout_s: float, output_bytes: int = 65536
) -> Completed:
    """Run `argv` in its own process group with stdin closed; at most `output_bytes` of each stream are kept.

    When the command ends, times out or the task is cancelled, its whole group is killed. Raises OSError if it
    cannot be started.
    """
    child = _Child(argv, cwd, env, timeout_s, output_bytes)
    # A thread, because asyncio's own process.wait() differs between Python versions when a
    # grandchild keeps a pipe open.
    work = asyncio.ensure_future(asyncio.to_thread(child.finish))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        child.kill()
        await asyncio.wait([work])
        raise


class _Kept:
    """The first and the last half of a stream."""

    def __init__(self, limit: int) -> None:
        self.half = limit // 2
        self.head = bytearray()
        self.tail = bytearray()
        self.left_out = 0

    def add(self, data: bytes) -> None:
        room = self.half - len(self.head)
        self.head += data[:room] if room > 0 else b""
        self.tail += data[max(room, 0) :]
        extra = len(self.tail) - self.half
        if extra > 0:
            self.left_out += extra
            del self.tail[:extra]

    def text(self) -> str:
        if not self.left_out:
            return (self.head + self.tail).decode("utf-8", "replace")
        head, tail = self.head.decode("utf-8", "replace"), self.tail.decode("utf-8", "replace")
        return f"{head}\n… {self.left_out} bytes left out …\n{tail}"


class _Child:
    def __init__(self, argv: list[str], cwd: Path, env: dict[str, str], timeout_s: float, output_bytes: int) -> None:
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.deadline = time.monotonic() + timeout_s
        stdout, stderr = self.process.stdout, self.process.stderr
        assert stdout is not None and stderr is not None
        self.streams: dict[Any, _Kept] = {stdout: _Kept(output_bytes), stderr: _Kept(output_bytes)}

    def kill(self) -> None:
        """Kill the whole group; the group's number stays taken while any member lives."""
        # macOS says EPERM for a group of zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def finish(self) -> Completed:
        try:
            with selectors.DefaultSelector() as selector:
                for stream in self.streams:
                    os.set_blocking(stream.fileno(), False)
                    selector.register(stream, selectors.EVENT_READ)
                timed_out = self._wait(selector)
                self._stop()
                # A grandchild that left the group may hold a pipe for ever: read what is there, then stop.
                until = time.monotonic() + _DRAIN_S
                while selector.get_map() and time.monotonic() < until:
                    self._drain(selector, _POLL_S)
        finally:
            self._stop()
            for stream in self.streams:
                stream.close()
        stdout, stderr = self.streams.values()
        truncated = bool(stdout.left_out or stderr.left_out)
        return Completed(self.process.returncode, stdout.text(), stderr.text(), timed_out, truncated)

    def _wait(self, selector: selectors.BaseSelector) -> bool:
        """Read until the command itself has ended; True if the deadline came first."""
        while selector.get_map() and self.process.poll() is None:
            remaining = self.deadline - time.monotonic()
            if remaining <= 0:
                return True
            self._drain(selector, min(remaining, _POLL_S))
        try:
            self.process.wait(max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return True
        return False

    def _stop(self) -> None:
        self.kill()
        self.process.wait()

    def _drain(self, selector: selectors.BaseSelector, wait_s: float) -> None:
        for key, _ in selector.select(wait_s):
            data = os.read(key.fd, 65536)
            if data:
                self.streams[key.fileobj].add(data)
            else:
                selector.unregister(key.fileobj)
