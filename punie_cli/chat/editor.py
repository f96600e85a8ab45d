"""A text in the person's own editor, and back."""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from punie_cli.chat.commands import Command
from punie_cli.errors import PunieError, UsageError

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat

HINT = "export EDITOR=vi"
_USUAL = ("nano", "vi")
_GRACE_S = 2.0
# How many editors are open: while one is, Ctrl-C is its own.
_open = 0


async def edit_text(text: str, suffix: str = ".md") -> str | None:
    """The text as the person left it in the editor; None where it is as before.

    The editor is $VISUAL, $EDITOR, or the first of nano and vi that there is. It gets the terminal, also from an open
    prompt, and a file in a private folder that is gone afterwards. Raises PunieError for an editor that is missing or
    failed, and for what is no text. A cancel ends the editor.
    """
    command = editor()
    with tempfile.TemporaryDirectory(prefix="punie-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / f"text{suffix}"
        # Editors end a last line in any case: it must not count as a change.
        before = text if text.endswith("\n") or not text else text + "\n"
        file.write_bytes(before.encode("utf-8", "replace"))
        await _hand_over(command, file)
        try:
            after = file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PunieError(f"what {command[0]} left cannot be read: {error}", HINT) from error
    if after in (before, text):
        return None
    after = after.replace("\r\n", "\n")
    return after if text.endswith("\n") else after.removesuffix("\n")


def editor() -> list[str]:
    """The command of the editor, without the file. Raises UsageError for none, or one that is not there."""
    for variable in ("VISUAL", "EDITOR"):
        value = os.environ.get(variable, "").strip()
        if not value:
            continue
        try:
            command = shlex.split(value)
        except ValueError as error:
            raise UsageError(f"${variable} is '{value}': {error}", HINT) from error
        if shutil.which(command[0]) is None:
            raise UsageError(f"${variable} is '{value}', and there is no command {command[0]}", HINT)
        return command
    for name in _USUAL:
        if found := shutil.which(name):
            if not sys.stdin.isatty():
                raise UsageError("there is no terminal for an editor", 'export EDITOR="code --wait"')
            return [found]
    raise UsageError(f"there is no editor: $EDITOR is not set, and there is no {' and no '.join(_USUAL)}", HINT)


def lent() -> bool:
    """Whether an editor has the terminal now."""
    return _open > 0


async def _hand_over(command: list[str], file: Path) -> None:
    # Only needed once an editor is opened; `punie config edit` has no prompt.
    from prompt_toolkit.application import in_terminal

    async with in_terminal():
        with _interrupts_ignored():
            try:
                process = await asyncio.create_subprocess_exec(*command, str(file))
            except OSError as error:
                raise UsageError(f"{command[0]} cannot be run: {error.strerror}", HINT) from error
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:
                    await _stop(process)
    if code:
        end = f"ended with exit code {code}" if code > 0 else f"was killed ({signal.Signals(-code).name})"
        raise PunieError(f"{command[0]} {end}; the text is as it was", HINT)


async def _stop(process: asyncio.subprocess.Process) -> None:
    for stop in (process.terminate, process.kill):
        with contextlib.suppress(ProcessLookupError):
            stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_S)
            return


@contextlib.contextmanager
def _interrupts_ignored() -> Generator[None]:
    """Ctrl-C goes to the editor and to us: here it does nothing, as in a shell. Handlers of a loop ask `lent`."""
    global _open
    before = None
    # Not SIG_IGN: the editor would inherit it. Only the main thread has signals.
    with contextlib.suppress(ValueError):
        if signal.getsignal(signal.SIGINT) is not None:
            before = signal.signal(signal.SIGINT, lambda number, frame: None)
    _open += 1
    try:
        yield
    finally:
        _open -= 1
        if before is not None:
            signal.signal(signal.SIGINT, before)


async def _edit(chat: "Chat", argument: str) -> None:
    await chat.reader.edit(chat.said)


COMMANDS = (
    Command("/edit", "open the last message in $EDITOR; what becomes of it stands in the prompt", _edit, at_once=True),
)
