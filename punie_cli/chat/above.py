"""Text above the open prompt: what is printed stays in the scroll-back, the line that is typed stays below it."""

import asyncio
import contextlib
import threading
from collections.abc import Generator
from typing import IO, Any, Protocol

# A terminal redraws at most so often while text comes; keys are read in between.
_EVERY_S = 0.05
_HANDED_OVER_S = 0.1
# Terminals that know it show erase, text and prompt as one picture; others ignore it.
_TOGETHER, _DONE = "\x1b[?2026h", "\x1b[?2026l"


class Writes(Protocol):
    """Where text goes in the end."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class Above:
    """Prints whole lines above a prompt-toolkit application, several of one moment at once.

    While the application has lent the terminal to someone else, text waits. `streams` stand for the real ones.
    """

    def __init__(self, app: Any, *, terminal: bool) -> None:
        self._app = app
        self._terminal = terminal
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiting: list[tuple[Writes, str]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._streams: list[_Stream] = []

    def stream(self, real: IO[str]) -> Any:
        """A stream whose text is printed above the prompt on `real`."""
        self._streams.append(_Stream(self, real))
        return self._streams[-1]

    def add(self, real: Writes, text: str) -> None:
        """Print soon. Text is whole lines."""
        if threading.get_ident() != self._thread:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.add, real, text)
            return
        self._waiting.append((real, text))
        if self._timer is None:
            due = max(self._loop.time(), self._last + _EVERY_S)
            self._timer = self._loop.call_at(due, self._print)

    def now(self) -> None:
        """Print what waits at once, so that what comes next stands below it."""
        if self._timer is not None:
            self._timer.cancel()
            self._print()

    def close(self) -> None:
        """Print what waits, also lines without an end."""
        for stream in self._streams:
            stream.end()
        if self._timer is not None:
            self._timer.cancel()
        self._write()

    def _print(self) -> None:
        self._timer = None
        app = self._app
        if not app.is_running:
            self._write()
        # prompt-toolkit has no public name for this, nor for a redraw at once.
        elif app._running_in_terminal:
            self._timer = self._loop.call_later(_HANDED_OVER_S, self._print)
        else:
            with self._together():
                app.renderer.erase()
                self._write()
                app._redraw()
        self._last = self._loop.time()

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        for real, text in waiting:
            real.write(text)
            real.flush()

    @contextlib.contextmanager
    def _together(self) -> Generator[None]:
        output = self._app.output
        if self._terminal:
            output.write_raw(_TOGETHER)
        yield
        if self._terminal:
            output.write_raw(_DONE)
            output.flush()


class _Stream:
    """Hands whole lines on; all else about it is the real stream's."""

    def __init__(self, above: Above, real: IO[str]) -> None:
        self._above = above
        self._real = real
        self._kept = ""

    def write(self, text: str) -> int:
        whole, newline, self._kept = (self._kept + text).rpartition("\n")
        if newline:
            self._above.add(self._real, whole + newline)
        return len(text)

    def end(self) -> None:
        if self._kept:
            self.write("\n")

    def flush(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
