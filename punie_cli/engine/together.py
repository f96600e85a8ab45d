"""Replies of one model that are written at the same time: a step reads the weights once for all of them.

Prompts are read from where the prompt core or an earlier conversation ends, short ones together; then their KV caches
are laid beside the others. Not mlx_lm's BatchGenerator: it reads the first token of each reply in a pass of its own,
and cannot take tokens back. All of it belongs to one thread.
"""

import copy
import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
from mlx_lm.generate import generation_stream
from mlx_lm.models.cache import (
    KVCache,
    LRUPromptCache,
    can_trim_prompt_cache,
    make_prompt_cache,
    trim_prompt_cache,
)

from punie_cli.engine.base import Finish, Reply, Text
from punie_cli.engine.decoder import Decoder, check_fits
from punie_cli.engine.lines import Dead, LineCheck
from punie_cli.engine.names import Names
from punie_cli.engine.prefix import common_prefix
from punie_cli.engine.writing import Place
from punie_cli.errors import UsageError

_log = logging.getLogger(__name__)

# KV caches of conversations that have no reply under way: at most this many bytes, and two for each place.
_KEPT_BYTES = 1 << 30
_CLEAR_STEPS = 512


Events = list[tuple[Place, Text | Reply | Exception]]


class Together:
    """Up to `size` replies of the model of `decoder`, whose own cache holds nothing but the prompt core."""

    def __init__(self, decoder: Decoder, size: int, *, temperature: float = 0.0, seed: int | None = None) -> None:
        layers = make_prompt_cache(decoder.model)
        if not all(hasattr(layer, "merge") for layer in layers):
            raise UsageError("the KV caches of this model cannot be laid side by side", "punie eval --batch 1")
        self._can_take_back = all(type(layer) is KVCache for layer in layers)
        self.size = size
        self._decoder = decoder
        self._temperature = temperature
        self._seed = seed
        # By hash: the prompts themselves would fill the memory of a long evaluation.
        self._asked: Counter[bytes] = Counter()
        self._kept = LRUPromptCache(max_size=2 * size, max_bytes=_KEPT_BYTES)
        # In the order in which they came.
        self._reading: list[Place] = []
        self._batch: list[Place] = []
        self._cache: list[Any] = []
        self._next: Any = None
        self._steps = 0

    def __len__(self) -> int:
        return len(self._reading) + len(self._batch)

    def begin(
        self,
        tokens: Sequence[int],
        max_tokens: int,
        stopped: Callable[[], bool],
        *,
        tags: tuple[str, str] | None = None,
        names: Names | None = None,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> Place:
        """Let a prompt in. Reads the core if nothing holds it yet. Raises UsageError for a prompt that does not fit.

        Between `tags` lines and paths that no program can come of are taken back, as Decoder does it.
        """
        tokens, context = list(tokens), self._decoder.context
        check_fits(tokens, context)
        # An id that is no int32 fails here, and not in a step of all.
        mx.eval(mx.array(tokens, mx.int32))
        self._decoder.warm(stopped)
        with mx.stream(generation_stream):
            cache, held = self._nearest(tokens)
        writing = Place(
            tokens=tokens,
            limit=max_tokens if context is None else min(max_tokens, context - len(tokens)),
            tokenizer=self._decoder.tokenizer,
            lines=LineCheck(tags if self._can_take_back else None, names),
            cached=held,
            temperature=self._temperature if temperature is None else temperature,
            seed=self._seed_of(tokens, seed),
            cache=cache,
            held=held,
        )
        self._reading.append(writing)
        return writing

    def step(self) -> Events:
        """Read a chunk of one prompt, or write a token of each reply. A reply that ended has left.

        An exception among the events is the end of that reply; the others go on.
        """
        with mx.stream(generation_stream):
            # Prompts first: a step costs little more for eight replies than for one.
            if self._reading and len(self._batch) < self.size:
                return self._read()
            try:
                return self._write() if self._batch else []
            except Exception as error:
                return self._retreat(error)

    def end(self, writing: Place) -> Events:
        """Take a reply out as it is; its last events."""
        with mx.stream(generation_stream):
            return self._leave([(writing, "cancelled")])

    def _read(self) -> Events:
        """A chunk of the first prompt, or the rest of several; what is read then stands in the batch."""
        if self._reading[0].limit <= 0:
            return self._leave([(self._reading[0], "length")])
        group = self._group()
        # Not the last token: it goes into the next step of the batch, where it costs little.
        chunks = [writing.whole[writing.held : -1][: self._decoder.chunk] for writing in group]
        try:
            if len(group) == 1:
                self._read_one(group[0], chunks[0])
                if group[0].held < len(group[0].whole) - 1:
                    return []
            cache = [layer[0].merge(list(layer)) for layer in zip(*(w.cache for w in group), strict=True)]
            if len(group) > 1:
                self._read_several(cache, chunks)
        except Exception as error:
            mx.clear_cache()
            if len(group) == 1:
                self._reading.remove(group[0])
                return [(group[0], error)]
            for writing in group:
                writing.alone = True
            return []
        self._reading = [writing for writing in self._reading if writing not in group]
        self._join(group, cache)
        return []

    def _group(self) -> list[Place]:
        """The first prompt, with those beside which it is read in one chunk."""
        group: list[Place] = []
        longest = 0
        for writing in self._reading[: self.size - len(self._batch)]:
            longest = max(longest, len(writing.whole) - 1 - writing.held)
            if (len(group) + 1) * longest > self._decoder.chunk or writing.limit <= 0 or writing.alone:
                break
            group.append(writing)
        return group or self._reading[:1]

    def _read_one(self, writing: Place, chunk: list[int]) -> None:
        if chunk:
            self._decoder.model(mx.array([chunk]), cache=writing.cache)
            mx.eval([layer.state for layer in writing.cache])
            writing.held += len(chunk)

    def _read_several(self, cache: list[Any], chunks: list[list[int]]) -> None:
        lengths = [len(chunk) for chunk in chunks]
        longest = max(lengths)
        if not longest:
            return
        padding = [longest - length for length in lengths]
        for layer in cache:
            layer.prepare(lengths=lengths, right_padding=padding)
        rows = [chunk + [0] * pad for chunk, pad in zip(chunks, padding, strict=True)]
        self._decoder.model(mx.array(rows), cache=cache)
        for layer in cache:
            layer.finalize()
        mx.eval([layer.state for layer in cache])

    def _join(self, group: list[Place], cache: list[Any]) -> None:
        tokens = mx.array([writing.whole[-1] for writing in group], mx.int32)
        if self._batch:
            for layer, other in zip(self._cache, cache, strict=True):
                layer.extend(other)
            self._next = mx.concatenate([self._next, tokens])
        else:
            self._cache, self._next = cache, tokens
        for writing in group:
            writing.cache, writing.fresh, writing.alone = [], True, False
        self._batch += group

    def _write(self) -> Events:
        tokens = self._next
        logits = self._decoder.model(tokens[:, None], cache=self._cache)[:, -1, :]
        self._next = self._choose(logits)
        mx.async_eval(self._next)
        # The caches hold these tokens from here on, an end token as well.
        known = tokens.tolist()
        events: Events = []
        ended: list[tuple[Place, Finish]] = []
        dead: list[Place] = []
        for place, (writing, token) in enumerate(zip(self._batch, known, strict=True)):
            if writing.fresh:
                writing.fresh, writing.banned = False, frozenset()
                continue
            ends, held = token in self._decoder.ends, len(writing.whole) + 1
            judged = writing.add(token, ends=ends)
            if isinstance(judged, Dead):
                writing.cache = [layer.extract(place) for layer in self._cache]
                writing.held = _cut(writing.cache, held, len(writing.whole) - 1)
                if not writing.held:
                    writing.cache = make_prompt_cache(self._decoder.model)
                dead.append(writing)
                continue
            if judged:
                events.append((writing, Text(judged)))
            if ends or len(writing.produced) >= writing.limit:
                ended.append((writing, "stop" if ends else "length"))
        self._steps += 1
        if self._steps % _CLEAR_STEPS == 0:
            mx.clear_cache()
        events += self._leave(ended, dead)
        self._reading = dead + self._reading
        return events

    def _leave(self, ended: list[tuple[Place, Finish]], others: Sequence[Place] = ()) -> Events:
        """Take replies out that have ended, and others out of the batch."""
        events: Events = []
        for writing, finish in ended:
            self._keep(writing)
            events += [(writing, event) for event in writing.end(finish)]
        gone = {id(writing) for writing in (*others, *(writing for writing, _ in ended))}
        self._reading = [w for w in self._reading if id(w) not in gone]
        stay = [i for i, w in enumerate(self._batch) if id(w) not in gone]
        if not stay:
            self._cache, self._next = [], None
        elif len(stay) < len(self._batch):
            for layer in self._cache:
                layer.filter(stay)
            self._next = self._next[mx.array(stay)]
        self._batch = [self._batch[i] for i in stay]
        return events

    def _retreat(self, error: Exception) -> Events:
        """After a step that failed: fewer replies at once from now on, each read anew; one alone has failed."""
        failed, self._batch, self._cache, self._next = self._batch, [], [], None
        mx.clear_cache()
        if len(failed) == 1:
            return [(failed[0], error)]
        self.size = max(1, len(failed) // 2)
        _log.warning("a step of %d replies failed, going on with %d: %s", len(failed), self.size, error)
        for writing in failed:
            writing.cache, writing.held = make_prompt_cache(self._decoder.model), 0
            writing.alone = True
        self._reading = failed + self._reading
        return []

    def _keep(self, writing: Place) -> None:
        """Keep the KV cache of a conversation for its next step."""
        whole, cache = writing.whole, writing.cache
        # The last token of one that is fresh is not in the batch yet.
        held = writing.held if cache else len(whole) - writing.fresh
        if not held:
            return
        if not cache:
            place = self._batch.index(writing)
            try:
                cache = [layer.extract(place) for layer in self._cache]
                mx.eval([layer.state for layer in cache])
            except Exception as error:
                # Memory that is short: the reply is there all the same.
                _log.warning("the KV cache of a conversation is not kept: %s", error)
                return
        self._kept.insert_cache("", whole[:held], cache)

    def _nearest(self, tokens: list[int]) -> tuple[list[Any], int]:
        """A new cache that holds as many of `tokens` as anything here does, less the last; their number."""
        cache, rest = self._kept.fetch_nearest_cache("", tokens)
        held = len(tokens) - len(rest)
        if cache and not rest:
            held = _cut(cache, held, held - 1)
        core = self._decoder._held
        common = min(common_prefix(core, tokens), len(tokens) - 1)
        if not cache or held < common:
            cache = copy.deepcopy(self._decoder._cache)
            held = _cut(cache, len(core), common)
        return (cache, held) if held else (make_prompt_cache(self._decoder.model), 0)

    def _choose(self, logits: mx.array) -> mx.array:
        """The token after the one that was just fed, for each. Greedy without softmax: the choice is the same."""
        best = mx.argmax(logits, axis=-1).astype(mx.int32)
        if not any(writing.temperature or writing.banned for writing in self._batch):
            return best
        chosen = [best[i : i + 1] for i in range(len(self._batch))]
        for i, w in enumerate(self._batch):
            if w.banned:
                left = mx.put_along_axis(logits[i], mx.array(list(w.banned)), mx.array(-mx.inf, logits.dtype), axis=-1)
                chosen[i] = mx.argmax(left, axis=-1, keepdims=True).astype(mx.int32)
            elif w.temperature:
                chosen[i] = _draw(logits[i : i + 1], w.temperature, w.seed + len(w.produced) + (not w.fresh))
        return mx.concatenate(chosen)

    def _seed_of(self, tokens: list[int], seed: int | None) -> int:
        """Where the random numbers of a reply begin: the same whatever is written beside it."""
        if seed is None and self._seed is None:
            return int.from_bytes(os.urandom(7))
        count = 0
        if seed is None:
            # The same prompt again is to be answered anew.
            asked = hashlib.sha256(str(tokens).encode()).digest()
            count = self._asked[asked]
            self._asked[asked] += 1
        text = f"{self._seed if seed is None else seed} {count} {tokens}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])


def _draw(logits: mx.array, temperature: float, number: int) -> mx.array:
    return mx.random.categorical(logits / temperature, key=mx.random.key(number)).astype(mx.int32)


def _cut(cache: list[Any], held: int, keep: int) -> int:
    """Leave the first `keep` tokens in the cache; how many it holds then, 0 where it cannot be cut."""
    if keep == held:
        return held
    if keep <= 0 or not can_trim_prompt_cache(cache):
        return 0
    trim_prompt_cache(cache, held - keep)
    return keep
