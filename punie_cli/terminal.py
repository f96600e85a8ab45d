"""The terminal and the pipes around a command: what stdin holds, who can be asked, Ctrl-C, the log file."""

import asyncio
import contextlib
import errno
import logging
import logging.handlers
import os
import select
import signal
import sys
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar

from punie_cli import paths
from punie_cli.errors import InterruptedByUser, UsageError

try:
    import termios
except ImportError:
    termios = None

T = TypeVar("T")

# More than any model reads; a stream without an end must not fill the memory.
STDIN_BYTES = 16 * 1024 * 1024
_SILENCE_S = 2.0
_LOG_BYTES = 1_000_000


def is_interactive() -> bool:
    """Whether a person can be asked: stdin and stdout are both terminals."""
    return _is_tty(sys.stdin) and _is_tty(sys.stdout)


def has_input() -> bool:
    """Whether something may come through stdin: it is open, and not a terminal."""
    return sys.stdin is not None and not sys.stdin.closed and not sys.stdin.isatty()


@contextlib.contextmanager
def typed_for_later() -> Generator[None]:
    """What is typed meanwhile waits for the prompt that opens next.

    It is not shown, and Enter stays Enter: a terminal that is read by nobody makes a line end of it, which a prompt
    takes for a new line.
    """
    if termios is None or not is_interactive():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    later = [before[0] & ~termios.ICRNL, *before[1:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(sys.stdin, termios.TCSANOW, later)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, before)


def read_stdin(hint: str) -> str:
    """All of stdin as text. Raises UsageError with `hint` for what is not UTF-8 text, or larger than 16 MiB."""
    if sys.stdin is None or sys.stdin.closed:
        return ""
    _say_when_silent()
    return _text(sys.stdin.buffer, "stdin", hint)


def read_program(path: Path) -> str:
    """The text of a program's file. Raises UsageError where it cannot be read, or is not text."""
    try:
        with path.open("rb") as file:
            return _text(file, str(path), "punie exec FILE")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "punie exec FILE") from error


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end. Ctrl-C, SIGTERM and a terminal that is closed cancel the work, and all that it started, first."""

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None
        stopped_by: signal.Signals | None = None

        def stop(number: signal.Signals) -> None:
            nonlocal stopped_by
            stopped_by = number
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGHUP):
            # nohup has it ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                with contextlib.suppress(NotImplementedError, RuntimeError):
                    asyncio.get_running_loop().add_signal_handler(number, stop, number)
        try:
            return await work
        except asyncio.CancelledError:
            if stopped_by is not None:
                raise InterruptedByUser(f"stopped by {stopped_by.name}") from None
            raise

    try:
        return asyncio.run(main())
    except KeyboardInterrupt:
        raise InterruptedByUser("interrupted") from None


def is_gone() -> bool:
    """Whether stdin, stdout or stderr is a terminal that was closed."""
    if termios is None:
        return False
    for descriptor in range(3):
        try:
            termios.tcgetattr(descriptor)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                return True
    return False


def drop_typed_ahead() -> None:
    """Forget what was typed on the terminal before now: it was no answer to the question that comes."""
    if termios is None:
        return
    with contextlib.suppress(OSError, ValueError, termios.error):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def log_to_file() -> None:
    """Send what punie logs to its log file, at most 1 MB and one older file."""
    logger = logging.getLogger("punie_cli")
    if logger.handlers:
        return
    # A log that cannot be written must not show up in a turn.
    logging.raiseExceptions = False
    with contextlib.suppress(OSError):
        paths.state_dir().mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(
        paths.log_file(), maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8", delay=True
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False


class Lines:
    """Lines of stdin, one by one, without a thread: a wait for one can be cancelled."""

    def __init__(self, prompt_on: TextIO) -> None:
        self._prompt_on = prompt_on
        self._fd = sys.stdin.fileno()
        self._kept = b""
        self._ended = False

    async def read(self) -> str | None:
        """The next line without its end; None at the end of the input."""
        while b"\n" not in self._kept and not self._ended:
            await self._ready()
            data = os.read(self._fd, 65536)
            self._kept += data
            # On a terminal Ctrl-D ends one line, not the stream; at its start it is the end.
            self._ended = not data
        if not self._kept:
            self._ended = False
            return None
        line, _, self._kept = self._kept.partition(b"\n")
        return line.decode("utf-8", "replace").removesuffix("\r")

    async def ask(self, prompt: str) -> str | None:
        """Show `prompt` and read a line; what was typed before the question is dropped."""
        if sys.stdin.isatty():
            self._kept = b""
            drop_typed_ahead()
        self._prompt_on.write(prompt)
        self._prompt_on.flush()
        return await self.read()

    async def _ready(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._fd, ready.set)
        except OSError:
            # epoll takes no files; a file is always ready.
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._fd)


def _text(stream: BinaryIO, name: str, hint: str) -> str:
    data = stream.read(STDIN_BYTES + 1)
    if len(data) > STDIN_BYTES:
        raise UsageError(f"{name} has more than {STDIN_BYTES // 1024 // 1024} MiB", hint)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageError(f"{name} is not text (UTF-8)", hint)
    return text


def _is_tty(stream: Any) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _say_when_silent() -> None:
    # A command of a script may have inherited a pipe that nobody will ever close.
    with contextlib.suppress(OSError, ValueError):
        if not select.select([sys.stdin.fileno()], [], [], _SILENCE_S)[0]:
            sys.stderr.write("(reading stdin; end it with Ctrl-D, or start punie with </dev/null)\n")
