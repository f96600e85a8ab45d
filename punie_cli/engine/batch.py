"""An engine that answers several prompts at the same time; otherwise like MLXEngine.

    engine = BatchEngine(path, adapter, size=8)
    replies = await asyncio.gather(*(collect(engine.generate(prompt)) for prompt in prompts))

A prompt enters while others are answered, and leaves when it is. Each reply is the one that MLXEngine gives, but for
near-ties: products of several rows round otherwise in the last bit.
"""

import logging
import queue
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie_cli.engine.base import Prompt, Reply, Text
from punie_cli.engine.mlx import _DONE, QUEUE_SIZE, MLXEngine, _explain, _Generate, _Request, _Warm
from punie_cli.errors import PunieError

if TYPE_CHECKING:
    from punie_cli.engine.decoder import Decoder
    from punie_cli.engine.together import Together
    from punie_cli.engine.writing import Place

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Draw(_Generate):
    """A prompt with its own temperature and seed; None for those of the engine."""

    temperature: float | None = None
    seed: int | None = None


@dataclass(eq=False)
class _Underway:
    """A reply that is written. `unsent` waits for a reader that is slow: others must not wait."""

    request: _Request
    writing: "Place"
    unsent: list[Any] = field(default_factory=list)


class BatchEngine(MLXEngine):
    """A model and its adapter behind one thread that writes up to `size` replies at once. Greedy by default.

    With `temperature` and `seed` a reply depends on its prompt, the seed and how often that prompt was asked, not on
    what is answered beside it.
    """

    def __init__(
        self,
        model_path: Path,
        adapter_path: Path | None = None,
        *,
        size: int = 8,
        name: str | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
        prefix_cache: bool = True,
        chunk: int | None = None,
    ) -> None:
        super().__init__(
            model_path,
            adapter_path,
            name=name,
            temperature=temperature,
            seed=seed,
            prefix_cache=prefix_cache,
            chunk=chunk,
        )
        self.size = size
        # All places may be asked for while the model is loaded.
        self._requests = queue.Queue(QUEUE_SIZE + size)
        # The thread's own.
        self._together: Together | None = None
        self._underway: list[_Underway] = []

    async def generate(
        self, prompt: Prompt, *, max_tokens: int = 512, temperature: float | None = None, seed: int | None = None
    ) -> AsyncGenerator[Text | Reply]:
        """Stream the reply to `prompt.tokens`, beside others; opens the model if that was not done.

        With a `seed` of its own the same prompt is answered in the same way each time.
        """
        tokens = tuple(prompt.tokens)
        work = _Draw(tokens, max_tokens, tags=prompt.tags, names=prompt.names, temperature=temperature, seed=seed)
        mailbox = self._submit(work)
        try:
            while (event := await mailbox.get()) is not _DONE:
                if isinstance(event, PunieError):
                    raise event
                yield event
        finally:
            mailbox.abandon()

    async def swap(self, adapter: Path | None) -> None:
        """Not here: replies with two adapters would have to be kept apart."""
        raise PunieError(f"the engine of {self.name} answers several prompts at once and keeps its adapter")

    # From here on: the engine thread.

    def _serve(self) -> None:
        try:
            while self._take():
                self._advance()
        finally:
            self._together = None
            self._free()
            self._refuse_rest()

    def _take(self) -> bool:
        """Let in what waits, as long as there is room; waits where nothing is to be done. False at the end."""
        while not self._closing.is_set() and len(self._underway) < self.size:
            try:
                request = self._requests.get(block=not self._underway)
            except queue.Empty:
                break
            if request is not None:
                self._begin(request)
        return bool(self._underway) or not self._closing.is_set()

    def _begin(self, request: _Request) -> None:
        mailbox, work = request.mailbox, request.work
        try:
            if mailbox.abandoned.is_set():
                self._end(request, _DONE)
                return
            decoder = self._decoder = self._decoder or self._load()
            decoder.use_core(request.core)
            stopped = mailbox.cancelled.is_set
            # Not by its truth: it is as long as the replies under way.
            if self._together is None:
                self._together = self._make(decoder)
            if isinstance(work, _Draw):
                writing = self._together.begin(
                    work.tokens,
                    work.max_tokens,
                    stopped,
                    tags=work.tags,
                    names=work.names,
                    temperature=work.temperature,
                    seed=work.seed,
                )
                self._underway.append(_Underway(request, writing))
                return
            if isinstance(work, _Warm):
                decoder.warm(stopped)
            self._end(request, _DONE)
        except PunieError as error:
            self._end(request, error)
        except BaseException as error:
            _log.exception("engine %s failed", self.name)
            self._end(request, _explain(error, self.name))

    def _make(self, decoder: "Decoder") -> "Together":
        from punie_cli.engine.together import Together

        return Together(decoder, self.size, temperature=self._temperature, seed=self._seed)

    def _advance(self) -> None:
        """One step of all, and its events into their mailboxes."""
        if self._together is None:
            return
        try:
            for one in list(self._underway):
                if one.request.mailbox.cancelled.is_set():
                    self._deliver(self._together.end(one.writing))
            self._deliver(self._together.step())
        except BaseException as error:
            _log.exception("engine %s failed", self.name)
            # What they share is in an unknown state: it is made anew.
            self._together = None
            for one in list(self._underway):
                self._leave(one, _explain(error, self.name))
        for one in self._underway:
            while one.unsent and one.request.mailbox.offer(one.unsent[0]):
                del one.unsent[0]

    def _deliver(self, events: "list[tuple[Place, Text | Reply | Exception]]") -> None:
        owners = {id(one.writing): one for one in self._underway}
        for writing, event in events:
            one = owners[id(writing)]
            if isinstance(event, Exception):
                _log.error("engine %s failed", self.name, exc_info=event)
                self._leave(one, _explain(event, self.name))
            elif isinstance(event, Reply):
                self._leave(one, event, _DONE)
            elif one.unsent and isinstance(one.unsent[-1], Text):
                one.unsent[-1] = Text(one.unsent[-1].text + event.text)
            else:
                one.unsent.append(event)

    def _leave(self, one: _Underway, *last: Any) -> None:
        self._underway.remove(one)
        self._end(one.request, *one.unsent, *last)

    def _end(self, request: _Request, *last: Any) -> None:
        with self._lock:
            self._waiting.remove(request)
        request.mailbox.end(last)
        try:
            if self._decoder is not None:
                self._decoder.store_core()
        except Exception:
            _log.exception("engine %s: the prompt core is not cached", self.name)
