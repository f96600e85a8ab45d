"""Events from the engine thread to one asyncio task, in a bounded queue."""

import asyncio
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

_SIZE = 256
_LOOK_S = 0.1


class Mailbox:
    """One request's events. Made by the task that will read them; the engine thread puts them in.

    A reader that is slow stops the writer after 256 events, until it is asked to end. `cancelled` asks the writer
    to end early; `abandoned` says that nobody reads any more.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._events: deque[Any] = deque()
        self._room = threading.Condition()
        self.cancelled = threading.Event()
        self.abandoned = threading.Event()

    def abandon(self) -> None:
        """Nobody reads any more: end the work and drop its events."""
        self.cancelled.set()
        self.abandoned.set()

    def put(self, event: Any) -> None:
        """Hand over an event; waits while the queue is full. From the engine thread."""
        with self._room:
            # Few events come after a cancel, and a reader that stands still must not keep the engine from closing.
            while len(self._events) >= _SIZE and not self.cancelled.is_set():
                self._room.wait(_LOOK_S)
        self.end([event])

    def offer(self, event: Any) -> bool:
        """Hand over an event if there is room, without waiting; true also where nobody reads any more."""
        if len(self._events) >= _SIZE and not self.abandoned.is_set():
            return False
        self.end([event])
        return True

    def end(self, events: Iterable[Any]) -> None:
        """Hand over the last events, without waiting for room: they are few. From the engine thread."""
        if self.abandoned.is_set():
            return
        self._events.extend(events)
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:
            # The loop is closed: its tasks are gone.
            self.abandon()

    async def get(self) -> Any:
        """The next event; the loop stays free meanwhile."""
        while not self._events:
            # No event is lost between these lines: the writer's set() runs on this loop, so after them.
            self._ready.clear()
            await self._ready.wait()
        event = self._events.popleft()
        with self._room:
            self._room.notify()
        return event
