"""Events from the engine thread to one asyncio task, in a bounded queue."""

import asyncio
import contextlib
import queue
import threading
from typing import Any

_SIZE = 256
_LOOK_S = 0.1


class Mailbox:
    """One request's events. Made by the task that will read them; the engine thread puts them in.

    A reader that is slow stops the writer after 256 events. `cancelled` asks the writer to end early;
    `abandoned` says that nobody reads any more.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._events: queue.Queue[Any] = queue.Queue(_SIZE)
        self.cancelled = threading.Event()
        self.abandoned = threading.Event()

    def abandon(self) -> None:
        """Nobody reads any more: end the work and drop its events."""
        self.cancelled.set()
        self.abandoned.set()

    def put(self, event: Any) -> None:
        """Hand over an event; waits while the queue is full. From the engine thread."""
        while not self.abandoned.is_set():
            with contextlib.suppress(queue.Full):
                self._events.put(event, timeout=_LOOK_S)
                self._wake()
                return

    def offer(self, event: Any) -> bool:
        """Hand over an event if there is room, without waiting; true also where nobody reads any more."""
        if self.abandoned.is_set():
            return True
        try:
            self._events.put_nowait(event)
        except queue.Full:
            return False
        self._wake()
        return True

    async def get(self) -> Any:
        """The next event; the loop stays free meanwhile."""
        while True:
            try:
                return self._events.get_nowait()
            except queue.Empty:
                # No event is lost between these lines: the writer's set() runs on this loop, so after them.
                self._ready.clear()
                await self._ready.wait()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:
            # The loop is closed: its tasks are gone.
            self.abandon()
