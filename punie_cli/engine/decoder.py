"""A model with its KV cache: reads what is new in a prompt, then decodes. All of it belongs to one thread.

The cache always holds exactly `_held`: the prompt and every token of the reply, the end token included. A
prompt that goes on from there is read from where it differs.
"""

import contextlib
import importlib.metadata
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.generate import generate_step, generation_stream
from mlx_lm.models.cache import KVCache, can_trim_prompt_cache, make_prompt_cache, trim_prompt_cache
from mlx_lm.sample_utils import make_sampler
from mlx_lm.utils import maybe_set_recommended_wired_limit

from punie_cli.engine.base import Finish, Reply, Text
from punie_cli.engine.lines import Dead, LineCheck
from punie_cli.engine.names import Names
from punie_cli.engine.prefix import PrefixStore, common_prefix, fingerprint
from punie_cli.engine.writing import Writing
from punie_cli.errors import UsageError

# Ends of a turn in chat templates whose tokenizer names another end token. Not "<|end|>": gpt-oss ends each
# part of a turn with it.
_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>")

# Tokens read between two looks at cancel: well below a second for the embedded model on two CPU cores, and
# fewer for larger models.
_GPU_CHUNK = 512
_CPU_CHUNK = 96
_CPU_CHUNK_PARAMETERS = 200_000_000


class Cancelled(Exception):
    """Raised between two chunks of a prompt; what was read stays in the cache."""


class Decoder:
    """One loaded model. `context` is the number of tokens it can hold, None for no limit.

    `temperature` 0 is greedy; `chunk` tokens are read between two looks at cancel. `merge` off leaves LoRA layers
    apart where they would be added into the weights.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        context: int | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
        chunk: int | None = None,
        merge: bool = True,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.ends = end_tokens(tokenizer)
        self.context = context
        self.chunk = chunk or _chunk(model)
        self._sampler = make_sampler(temp=temperature)
        if seed is not None:
            mx.random.seed(seed)
        if merge and _on_cpu():
            merge_lora(model)
        # The weights are read for every token: on Metal they must not be paged out between two of them.
        maybe_set_recommended_wired_limit()
        self._prefixes: PrefixStore | None = None
        self._core: list[int] = []
        self._core_is_stored = False
        self._cache: list[Any] = []
        self._held: list[int] = []
        self.forget()

    def keep_prefixes(self, folder: Path, model_path: Path, adapter_path: Path | None) -> None:
        """Keep the KV cache of the core in `folder`, for these weights as they run on this device."""
        dtypes = sorted({str(array.dtype) for array in _parameters(self.model)})
        identity = [fingerprint(model_path), fingerprint(adapter_path), *dtypes]
        self._prefixes = PrefixStore(folder, [*identity, str(mx.default_device()), *_versions()])

    def use_core(self, tokens: Sequence[int]) -> None:
        """Name the tokens that all prompts begin with: their KV cache is kept on disk."""
        if list(tokens) != self._core:
            self._core, self._core_is_stored = list(tokens), False

    def forget(self) -> None:
        """Drop the KV cache; the next prompt is read from its first token, or from the stored core."""
        self._held = []
        self._cache = make_prompt_cache(self.model)

    def warm(self, stopped: Callable[[], bool]) -> None:
        """Take the core from disk or read it, before the first prompt is there."""
        core = self._core
        if common_prefix(self._held, core) == len(core) or self._restore_core():
            return
        self._reuse(core)
        for _ in self._steps(core, 0, stopped):
            pass

    def generate(
        self,
        tokens: Sequence[int],
        max_tokens: int,
        stopped: Callable[[], bool],
        tags: tuple[str, str] | None = None,
        names: Names | None = None,
    ) -> Generator[Text | Reply]:
        """Read what is new in `tokens`, then decode; `stopped` is asked after each chunk and each token.

        Between `tags` what no program can come of is taken back, and with `names` a path that is none, where the cache
        can be. Raises UsageError
        for a prompt that does not fit; after any other exception the cache is empty.
        """
        tokens = list(tokens)
        check_fits(tokens, self.context)
        limit = max_tokens if self.context is None else min(max_tokens, self.context - len(tokens))
        lines = LineCheck(tags if self._can_take_back() else None, names)
        reply = Writing(tokens=tokens, limit=limit, tokenizer=self.tokenizer, lines=lines)
        reply.cached = self._reuse(tokens)
        while True:
            judged: str | Dead = ""
            banned, reply.banned = reply.banned, frozenset()
            steps = self._steps(reply.whole, limit - len(reply.produced), stopped, banned)
            with contextlib.closing(steps):
                for token in steps:
                    ended = token in self.ends
                    judged = reply.add(token, ends=ended)
                    if isinstance(judged, Dead):
                        break
                    if judged:
                        yield Text(judged)
                    if ended or stopped():
                        break
            if not isinstance(judged, Dead):
                break
            self._reuse(reply.whole)
        produced = reply.produced
        finish: Finish = "length"
        if produced and produced[-1] in self.ends:
            finish = "stop"
        elif len(produced) < limit:
            finish = "cancelled"
        yield from reply.end(finish)

    def store_core(self) -> None:
        """Write the core's part of the cache to disk, once; to be called when nobody waits for a token."""
        count = len(self._core)
        if self._prefixes is None or self._core_is_stored or not count:
            return
        # Other kinds of cache cannot be cut at a position, so they are not kept.
        if self._held[:count] != self._core or not all(type(c) is KVCache for c in self._cache):
            return
        self._core_is_stored = True
        if not self._prefixes.path(self._core).is_file():
            state = [(c.keys[..., :count, :], c.values[..., :count, :]) for c in self._cache]
            self._prefixes.save(self._core, state)

    def _reuse(self, tokens: list[int]) -> int:
        """Make the cache a prefix of `tokens` that leaves at least one to read; its length."""
        keep = min(common_prefix(self._held, tokens), len(tokens) - 1)
        core = self._core
        # Not for a prompt that is the core or a part of it.
        if keep < len(core) < len(tokens) and tokens[: len(core)] == core and self._restore_core():
            return len(core)
        if keep < len(self._held):
            self._trim(keep)
        return len(self._held)

    def _trim(self, keep: int) -> None:
        if keep and can_trim_prompt_cache(self._cache):
            trim_prompt_cache(self._cache, len(self._held) - keep)
            del self._held[keep:]
        else:
            self.forget()

    def _restore_core(self) -> bool:
        fresh = make_prompt_cache(self.model)
        if self._prefixes is None or not all(type(c) is KVCache for c in fresh):
            return False
        state = self._prefixes.load(self._core, len(fresh))
        if state is None:
            return False
        for layer, (keys, values) in zip(fresh, state, strict=True):
            layer.keys, layer.values, layer.offset = keys, values, len(self._core)
        self._cache, self._held, self._core_is_stored = fresh, list(self._core), True
        return True

    def _can_take_back(self) -> bool:
        """Whether any part of a reply can leave the cache; a sliding window forgets what would be needed."""
        return all(type(c) is KVCache for c in self._cache)

    def _steps(
        self, tokens: list[int], limit: int, stopped: Callable[[], bool], banned: frozenset[int] = frozenset()
    ) -> Generator[int]:
        """Tokens that follow, at most `limit` and the first not of `banned`; none when stopped while reading."""
        known = len(self._held)

        def progress(read: int, total: int) -> None:
            self._held = tokens[: known + read]
            # After the last one the step of the first new token is under way already.
            if read < total and stopped():
                raise Cancelled

        steps = generate_step(
            mx.array(tokens[known:]),
            self.model,
            max_tokens=limit,
            sampler=self._sampler,
            logits_processors=[first_not(banned)] if banned else None,
            prompt_cache=self._cache,
            prefill_step_size=self.chunk,
            prompt_progress_callback=progress,
        )
        try:
            for item, _ in steps:
                token = int(item)
                # mlx_lm runs one step ahead: when a token comes out, the cache holds it already.
                self._held.append(token)
                yield token
        except Cancelled:
            pass
        except Exception:
            self.forget()
            mx.clear_cache()
            raise
        finally:
            steps.close()
            # That step ahead may still run; nothing must touch the cache before it is done.
            mx.synchronize(generation_stream)


def check_fits(tokens: Sequence[int], context: int | None) -> None:
    """Raise UsageError for a prompt without tokens, or one that leaves no room for a reply."""
    if not tokens:
        raise UsageError("the prompt has no tokens")
    if context is not None and len(tokens) >= context:
        raise UsageError(
            f"the conversation has {len(tokens)} tokens; this model holds {context}",
            "start a new session, or use a model with a longer context: punie models",
        )


def first_not(banned: Iterable[int]) -> Callable[[mx.array, mx.array], mx.array]:
    """A logits processor under which the next token is the best of all that are not `banned`; then it does nothing."""
    left = list(banned)

    def processor(tokens: mx.array, logits: mx.array) -> mx.array:
        if not left:
            return logits
        allowed = mx.put_along_axis(logits, mx.array([left]), mx.array(-mx.inf, logits.dtype), axis=-1)
        left.clear()
        # Only the best: a sampler may draw what is far below it.
        return mx.where(allowed == allowed.max(axis=-1, keepdims=True), allowed, -mx.inf)

    return processor


def end_tokens(tokenizer: Any) -> frozenset[int]:
    """Ids that end a reply: those of the tokenizer, and the turn end of its chat template."""
    ids = set(tokenizer.eos_token_ids)
    vocabulary = tokenizer.get_vocab()
    ids.update(vocabulary[end] for end in _TURN_ENDS if end in vocabulary)
    return frozenset(ids)


def merge_lora(model: Any) -> None:
    """Add LoRA weights into float32 layers: the same numbers to rounding, decoding is 8 to 18 % faster.

    Leaves models with weights of any other type as they are: there the sum would be rounded to that type.
    """
    layers = [(name, module) for name, module in model.named_modules() if hasattr(module, "fuse")]
    if layers and all(array.dtype == mx.float32 for array in _parameters(model)):
        model.update_modules(tree_unflatten([(name, module.fuse()) for name, module in layers]))
        mx.eval(model.parameters())


def _on_cpu() -> bool:
    return mx.default_device() == mx.Device(mx.cpu)


def _chunk(model: Any) -> int:
    if not _on_cpu():
        return _GPU_CHUNK
    parameters = sum(array.size for array in _parameters(model))
    return max(8, min(_CPU_CHUNK, _CPU_CHUNK * _CPU_CHUNK_PARAMETERS // max(parameters, 1)))


def _parameters(model: Any) -> list[mx.array]:
    return [array for _, array in tree_flatten(model.parameters()) if isinstance(array, mx.array)]


def _versions() -> list[str]:
    return [importlib.metadata.version(name) for name in ("mlx", "mlx-lm")]
