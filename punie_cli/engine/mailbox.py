"""Events from the engine thread to one asyncio task, in a bounded queue."""

import asyncio
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
            try:
                self._events.put(event, timeout=_LOOK_S)
            except queue.Full:
                continue
            try:
                self._loop.call_soon_threadsafe(self._ready.set)
            except RuntimeError:
                # The loop is closed: its tasks are gone.
                self.abandon()
            return

    async def get(self) -> Any:
        """The next event; the loop stays free meanwhile."""
        while True:
            try:
                return self._events.get_nowait()
            except queue.Empty:
                # No event is lost between these lines: the writer's set() runs on this loop, so after them.
                self._ready.clear()
                await self._ready.wait()
