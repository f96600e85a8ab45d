"""The engine on this machine: one thread imports mlx, loads, reads, decodes, saves caches and closes.

    engine = MLXEngine(path, adapter)
    await engine.open()                     # the tokenizer is there from now on
    engine.use_core(core_tokens)            # what all prompts begin with: cached on disk
    async for event in engine.generate(prompt): ...
    await engine.close()

The asyncio side never touches mlx. It may be used from one event loop after another.
"""

import asyncio
import atexit
import contextlib
import logging
import queue
import sys
import threading
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie_cli import paths
from punie_cli.engine.base import Prompt, Reply, Text
from punie_cli.engine.mailbox import Mailbox
from punie_cli.engine.names import Names
from punie_cli.errors import BusyError, PunieError

if TYPE_CHECKING:
    from punie_cli.engine.decoder import Decoder

_log = logging.getLogger(__name__)

# Requests that may wait; each conversation has one at a time.
QUEUE_SIZE = 64
# At exit of a process that did not close its engine: about one step of a large model.
_EXIT_WAIT_S = 5.0
_NO_MEMORY = ("insufficient memory", "out of memory", "unable to allocate", "cudamalloc")
_DONE = object()


@dataclass(frozen=True)
class _Open:
    pass


@dataclass(frozen=True)
class _Warm:
    pass


@dataclass(frozen=True)
class _Swap:
    adapter: Path | None


@dataclass(frozen=True)
class _Generate:
    tokens: tuple[int, ...]
    max_tokens: int
    tags: tuple[str, str] | None = field(default=None, kw_only=True)
    names: Names | None = field(default=None, kw_only=True)


@dataclass(frozen=True, eq=False)
class _Request:
    work: _Open | _Warm | _Swap | _Generate
    core: tuple[int, ...]
    mailbox: Mailbox = field(default_factory=Mailbox)


class MLXEngine:
    """A model and its adapter behind one thread. Greedy unless `temperature` is above 0.

    `prefix_cache` keeps the KV cache of the prompt core below the cache folder. `chunk` is the number of
    prompt tokens read between two looks at cancel; None chooses one for the device and the size of the model.
    """

    def __init__(
        self,
        model_path: Path,
        adapter_path: Path | None = None,
        *,
        name: str | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
        prefix_cache: bool = True,
        chunk: int | None = None,
    ) -> None:
        self.name = name or model_path.name
        self.adapter = adapter_path.name if adapter_path else None
        self._model_path = model_path
        self._adapter_path = adapter_path
        self._temperature = temperature
        self._seed = seed
        self._prefix_cache = prefix_cache
        self._chunk = chunk
        self._core: tuple[int, ...] = ()
        self._tokenizer: Any = None
        self._context: int | None = None
        # Re-entrant: a signal handler may call cancel() while this very thread holds it.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._requests: queue.Queue[_Request | None] = queue.Queue(QUEUE_SIZE)
        self._waiting: list[_Request] = []
        # The thread's own; nothing else may touch it.
        self._decoder: Decoder | None = None
        self._changed: frozenset[str] = frozenset()
        self._loaded: tuple[str, str] = ("", "")

    @property
    def tokenizer(self) -> Any:
        """mlx_lm's TokenizerWrapper; encoding is safe from any thread. Raises PunieError before `open()`."""
        if self._tokenizer is None:
            raise PunieError(f"model {self.name} is not open yet")
        return self._tokenizer

    @property
    def context(self) -> int | None:
        """Tokens that the model can hold; None before `open()` and for a model that does not say."""
        return self._context

    async def open(self) -> None:
        """Load the model, in seconds; a second call costs nothing. Raises PunieError if that fails."""
        await self._finish(_Open())

    def use_core(self, tokens: Sequence[int]) -> None:
        """Name the tokens that all prompts begin with: their KV cache is kept on disk."""
        self._core = tuple(tokens)

    async def warm(self) -> None:
        """Read the core now, or take it from disk, so that the first prompt need not wait for it."""
        await self._finish(_Warm())

    async def swap(self, adapter: Path | None) -> None:
        """Put another adapter on the base, or none, without loading the base again; the core changes with it.

        The KV cache is kept only where the adapter is the same, file for file. Raises PunieError, and goes on as
        before, if the adapter does not fit or the files of the base are others by now.
        """
        await self._finish(_Swap(adapter))

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
        """Stream the reply to `prompt.tokens`; opens the model if that was not done.

        Prompts of several tasks are answered one after the other. Closing the iterator, or cancelling the
        task that reads it, ends the work within a token or a chunk.
        """
        mailbox = self._submit(_Generate(tuple(prompt.tokens), max_tokens, tags=prompt.tags, names=prompt.names))
        try:
            while (event := await mailbox.get()) is not _DONE:
                if isinstance(event, PunieError):
                    raise event
                yield event
        finally:
            mailbox.abandon()

    def cancel(self) -> None:
        """End all replies under way or waiting, from any thread or a signal handler."""
        with self._lock:
            for request in self._waiting:
                request.mailbox.cancelled.set()

    async def close(self) -> None:
        """End what is under way, free the model, join the thread."""
        self._stop()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        atexit.unregister(self._stop_at_exit)

    async def _finish(self, work: _Open | _Warm | _Swap) -> None:
        mailbox = self._submit(work)
        try:
            while (event := await mailbox.get()) is not _DONE:
                raise event
        finally:
            mailbox.abandon()

    def _submit(self, work: _Open | _Warm | _Swap | _Generate) -> Mailbox:
        with self._lock:
            if self._closing.is_set():
                raise PunieError(f"the engine of {self.name} is closed")
            request = _Request(work, self._core)
            try:
                self._requests.put_nowait(request)
            except queue.Full:
                count = self._requests.maxsize
                raise BusyError(f"{count} prompts already wait for {self.name}", "try again later") from None
            self._waiting.append(request)
            if self._thread is None:
                # A daemon, so that a program that never closes its engine can end; see _stop_at_exit.
                self._thread = threading.Thread(target=self._serve, name=f"engine {self.name}", daemon=True)
                self._thread.start()
                atexit.register(self._stop_at_exit)
            return request.mailbox

    def _stop(self) -> None:
        self._closing.set()
        self.cancel()
        # A full queue wakes the thread as well as this does.
        with contextlib.suppress(queue.Full):
            self._requests.put_nowait(None)

    def _stop_at_exit(self) -> None:
        self._stop()
        with self._lock:
            for request in self._waiting:
                request.mailbox.abandon()
        if self._thread is not None:
            # mlx must not be in the middle of a computation while the process takes itself apart.
            self._thread.join(_EXIT_WAIT_S)

    # From here on: the engine thread.

    def _serve(self) -> None:
        try:
            while (request := self._requests.get()) is not None:
                self._answer(request)
                if self._closing.is_set():
                    break
        finally:
            self._free()
            self._refuse_rest()

    def _answer(self, request: _Request) -> None:
        last: Any = _DONE
        try:
            self._work(request)
        except PunieError as error:
            last = error
        except BaseException as error:
            _log.exception("engine %s failed", self.name)
            last = _explain(error, self.name)
        with self._lock:
            self._waiting.remove(request)
        request.mailbox.end([last])
        try:
            # Now nobody waits for a token.
            if self._decoder is not None:
                self._decoder.store_core()
        except Exception:
            _log.exception("engine %s: the prompt core is not cached", self.name)

    def _work(self, request: _Request) -> None:
        mailbox = request.mailbox
        stopped = mailbox.cancelled.is_set
        if mailbox.abandoned.is_set():
            return
        decoder = self._decoder = self._decoder or self._load()
        decoder.use_core(request.core)
        match request.work:
            case _Warm():
                decoder.warm(stopped)
            case _Swap(adapter):
                self._swap(decoder, adapter)
            case _Generate(tokens, max_tokens):
                tags, names = request.work.tags, request.work.names
                with contextlib.closing(decoder.generate(tokens, max_tokens, stopped, tags, names)) as events:
                    for event in events:
                        mailbox.put(event)

    def _load(self) -> "Decoder":
        # The order matters: models.load sees to the BLAS before anything imports mlx.
        from punie_cli.models.load import load

        # Before anything is read: a file that changes meanwhile is then told from the one that was read.
        prints = self._prints(self._adapter_path)
        model, tokenizer, config = load(self._model_path, self._adapter_path)
        decoder = self._around(model, tokenizer, _context(config), self._adapter_path, prints)
        self._tokenizer, self._context = decoder.tokenizer, decoder.context
        return decoder

    def _swap(self, decoder: "Decoder", adapter: Path | None) -> None:
        from punie_cli.models.swap import swapped

        prints = self._prints(adapter)
        if prints[0] != self._loaded[0]:
            raise PunieError(f"the files of model {self.name} have changed since it was loaded", "punie chat")
        if prints != self._loaded:
            model = swapped(decoder.model, self._changed, self._model_path, adapter)
            self._decoder = self._around(model, decoder.tokenizer, decoder.context, adapter, prints)
        self._adapter_path, self.adapter = adapter, adapter.name if adapter else None

    def _around(
        self, model: Any, tokenizer: Any, context: int | None, adapter: Path | None, prints: tuple[str, str]
    ) -> "Decoder":
        from punie_cli.engine.decoder import Decoder
        from punie_cli.models.swap import changed_by

        # Decoders merge what the adapter changes into the base.
        changed = changed_by(model, adapter)
        decoder = Decoder(
            model, tokenizer, context=context, temperature=self._temperature, seed=self._seed, chunk=self._chunk
        )
        if self._prefix_cache:
            decoder.keep_prefixes(paths.cache_dir() / "prefix", self._model_path, adapter)
        self._changed, self._loaded = changed, prints
        return decoder

    def _prints(self, adapter: Path | None) -> tuple[str, str]:
        from punie_cli.engine.prefix import fingerprint

        return fingerprint(self._model_path), fingerprint(adapter)

    def _free(self) -> None:
        self._decoder = None
        if "mlx.core" in sys.modules:
            import mlx.core as mx

            mx.clear_cache()
            # Without this one process in twelve aborts at exit: MLX takes the streams of a finished thread
            # apart while the process ends.
            mx.clear_streams()

    def _refuse_rest(self) -> None:
        with self._lock:
            self._closing.set()
            waiting, self._waiting = self._waiting, []
        for request in waiting:
            request.mailbox.end([PunieError(f"the engine of {self.name} is closed")])


def _context(config: dict[str, Any]) -> int | None:
    # Models that also see images keep the part for text apart.
    text = config.get("text_config") or {}
    return config.get("max_position_embeddings") or text.get("max_position_embeddings")


def _explain(error: BaseException, name: str) -> PunieError:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    # MLX has no exception type of its own for this; Metal, CUDA and the CPU each have their words.
    if isinstance(error, MemoryError) or any(word in text.lower() for word in _NO_MEMORY):
        return BusyError(f"model {name} ran out of memory: {text}", "choose a smaller model: punie models")
    return PunieError(f"model {name} failed: {text}", f"see {paths.log_file()}, or run: punie doctor")
