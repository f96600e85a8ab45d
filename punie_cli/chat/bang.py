"""`!command`: the person's own shell in the workspace. The model is told nothing of it."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from punie_cli.errors import UsageError
from punie_cli.render import View

# What a command has time for after Ctrl-C.
_GRACE_S = 1.0
_MAX_BYTES = 1_000_000


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
    kept = bytearray()
    try:
        await _read(process, kept)
    finally:
        if process.returncode is None:
            await _stop(process)
        _show(kept, view)
    if process.returncode:
        view.note(f"(exit code {process.returncode})")


async def _read(process: asyncio.subprocess.Process, kept: bytearray) -> None:
    assert process.stdout is not None
    while data := await process.stdout.read(65536):
        kept += data
        # The end of an endless output is what is asked for.
        del kept[: max(0, len(kept) - _MAX_BYTES)]
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


def _show(kept: bytearray, view: View) -> None:
    text = kept.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
    if text:
        view.whole = text
        view.lines(text)
