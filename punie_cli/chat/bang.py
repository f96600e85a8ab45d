"""`!command`: the person's own shell in the workspace. The model is told nothing of it."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from punie_cli.errors import UsageError
from punie_cli.event_text import HEAD_LINES
from punie_cli.render import View

# What a command has time for after Ctrl-C.
_GRACE_S = 1.0
_MAX_BYTES, _HEAD_BYTES = 1_000_000, 100_000


async def run_command(command: str, root: Path, view: View) -> None:
    """Run a command to its end and show its output, folded. A cancel interrupts it as Ctrl-C would.

    Its stdin is empty. Raises UsageError for no command.
    """
    if not command:
        raise UsageError("there is no command behind the !", "!git status")
    shell = os.environ.get("SHELL") or "/bin/sh"
    process = await asyncio.create_subprocess_exec(
        shell,
        "-c",
        command,
        cwd=root,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        # A group of its own: what it started is stopped with it.
        start_new_session=True,
    )
    view.busy("running")
    shown = _Shown(view)
    try:
        await _read(process, shown)
    finally:
        if process.returncode is None:
            await _stop(process)
        shown.end()
    if process.returncode:
        view.note(f"(exit code {process.returncode})")


async def _read(process: asyncio.subprocess.Process, shown: "_Shown") -> None:
    assert process.stdout is not None
    while data := await process.stdout.read(65536):
        shown.add(data)
    await process.wait()


async def _stop(process: asyncio.subprocess.Process) -> None:
    _signal(process, signal.SIGINT)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _GRACE_S)
    # A shell lets what it has in the background ignore Ctrl-C.
    _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class _Shown:
    """The output of a command: its first lines are shown as they come, its last ones at the end."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._kept = bytearray()
        self._lines = 0

    def add(self, data: bytes) -> None:
        self._kept += data
        # Of an endless output beginning and end are kept.
        del self._kept[_HEAD_BYTES : max(_HEAD_BYTES, len(self._kept) - _MAX_BYTES)]
        if self._lines == HEAD_LINES:
            return
        finished = self._text().split("\n")[:-1][:HEAD_LINES]
        if len(finished) > self._lines:
            self._view.lines("".join(f"{line}\n" for line in finished), self._lines)
            self._lines = len(finished)

    def end(self) -> None:
        text = self._text().rstrip("\n")
        if text:
            self._view.whole = text
            self._view.lines(text, self._lines)

    def _text(self) -> str:
        return self._kept.decode("utf-8", "replace").replace("\r\n", "\n")
