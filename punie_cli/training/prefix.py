"""Loss over a batch that reads the prompt core once, not once a row. Exact, not an approximation.

Every row of a phase begins with the same core (about 240 tokens; a row's own part has about 100). The core goes through
the model once with batch size 1; its keys and values, still part of the graph, stand before each row's own in
attention. With ten rows a step this reads 1,240 tokens in place of 3,400, and the gradient is that of full rows. It
needs nothing but the cache protocol of mlx_lm's models, and full attention.

Below the first trained layer nothing that the core leaves changes during a run: its keys and values there, and what
enters that layer, are computed once (`Core`). With the last 8 of 30 layers trained that is three quarters of the core.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from punie_cli.errors import UsageError
from punie_cli.training.adapt import first_trained
from punie_cli.training.batches import Example, groups
from punie_cli.training.loss import cross_entropy


class _Recorder:
    """Takes the place of a layer's KV cache and keeps what it is given."""

    offset = 0

    def __init__(self) -> None:
        self.keys: Any = None
        self.values: Any = None

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        self.keys, self.values = keys, values
        return keys, values

    def make_mask(self, tokens: int, *, window_size: int | None = None, **_: Any) -> str:
        return _causal(tokens, window_size)


class _Shared:
    """Takes the place of a layer's KV cache: recorded keys and values stand before those of every row."""

    def __init__(self, keys: mx.array, values: mx.array) -> None:
        self.keys, self.values = keys, values
        self.offset = keys.shape[2]

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        return _behind(self.keys, keys), _behind(self.values, values)

    def make_mask(self, tokens: int, *, window_size: int | None = None, **_: Any) -> str:
        # MLX aligns a causal mask at the end: a query sees the core and what precedes it in its row.
        return _causal(self.offset + tokens, window_size)


def _causal(tokens: int, window: int | None) -> str:
    if window is not None and tokens > window:
        raise UsageError(
            f"a row has {tokens} tokens with the prompt core; this model's attention reaches back {window}",
            f"--set train.max_tokens={window}",
        )
    return "causal"


class _Through:
    """Takes the place of a layer whose result is not needed: hands on what it gets, or `hidden` in its place."""

    def __init__(self, layer: Any, hidden: mx.array | None = None) -> None:
        self._layer, self._hidden = layer, hidden
        self.seen: Any = None

    def __call__(self, hidden: mx.array, *_: Any, **__: Any) -> mx.array:
        self.seen = hidden
        return hidden if self._hidden is None else self._hidden

    def __getattr__(self, name: str) -> Any:
        # A model may ask its layers what kind of attention they have.
        return getattr(self._layer, name)


class _Recomputed:
    """Takes the place of a layer: its activations are computed again when the gradient needs them.

    mlx_lm's own patch of the layer class would lose the gradient that reaches the core through keys and values: only
    what is an argument has one.
    """

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def __call__(self, hidden: mx.array, mask: Any, cache: Any) -> mx.array:
        parameters = self._layer.trainable_parameters()
        if isinstance(cache, _Recorder):
            out, cache.keys, cache.values = mx.checkpoint(self._record(mask))(parameters, hidden)
            return out
        return mx.checkpoint(self._go_on(mask))(parameters, hidden, cache.keys, cache.values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def _record(self, mask: Any) -> Callable[..., tuple[mx.array, mx.array, mx.array]]:
        def run(parameters: Any, hidden: mx.array) -> tuple[mx.array, mx.array, mx.array]:
            cache = _Recorder()
            with _parameters(self._layer, parameters):
                return self._layer(hidden, mask, cache=cache), cache.keys, cache.values

        return run

    def _go_on(self, mask: Any) -> Callable[..., mx.array]:
        def run(parameters: Any, hidden: mx.array, keys: mx.array, values: mx.array) -> mx.array:
            with _parameters(self._layer, parameters):
                return self._layer(hidden, mask, cache=_Shared(keys, values))

        return run


@contextmanager
def _parameters(layer: Any, parameters: Any) -> Generator[None]:
    before = layer.trainable_parameters()
    layer.update(parameters)
    try:
        yield
    finally:
        layer.update(before)


@contextmanager
def _layers(model: Any, layers: list[Any]) -> Generator[None]:
    before = model.model.layers
    model.model.layers = layers
    try:
        yield
    finally:
        model.model.layers = before


class Core:
    """The prompt core's way through a model. Make it anew when the weights below the first trained layer change.

    With `recompute` the activations of trained layers are not kept for the gradient, of the core and of rows.
    """

    def __init__(self, model: Any, tokens: Sequence[int], *, recompute: bool = False) -> None:
        self._recompute = recompute
        self.tokens = list(tokens)
        self.size = len(self.tokens)
        self._inputs = mx.array([self.tokens])
        self._first = first_trained(model)
        self._below = [_Recorder() for _ in model.layers[: self._first]]
        self._hidden: mx.array | None = None
        if self._first:
            above = [_Through(layer) for layer in model.layers[self._first :]] or [_Through(model.layers[-1])]
            with _layers(model, [*model.layers[: self._first], *above]):
                model.model(self._inputs, cache=[*self._below, *(_Recorder() for _ in above)])
            self._hidden = above[0].seen
            mx.eval(self._hidden, *(part for r in self._below for part in (r.keys, r.values)))

    def read(self, model: Any) -> list["_Shared"]:
        """Keys and values of every layer, those of trained layers in the graph."""
        above = [_Recorder() for _ in model.layers[self._first :]]
        below = list(model.layers[: self._first])
        if self._hidden is not None:
            below = [_Through(below[0], self._hidden), *map(_Through, below[1:])]
        if above:
            with _layers(model, [*below, *self._above(model)]):
                model.model(self._inputs, cache=[*self._below, *above])
        return [_Shared(r.keys, r.values) for r in (*self._below, *above)]

    def go_on(self, model: Any, tokens: mx.array, caches: list["_Shared"]) -> mx.array:
        """The last hidden states of rows (rows, length) behind the core."""
        with _layers(model, [*model.layers[: self._first], *self._above(model)]):
            return model.model(tokens, cache=caches)

    def _above(self, model: Any) -> list[Any]:
        layers = model.layers[self._first :]
        return [_Recomputed(layer) for layer in layers] if self._recompute else layers


def _behind(shared: mx.array, own: mx.array) -> mx.array:
    return mx.concatenate([mx.broadcast_to(shared, (own.shape[0], *shared.shape[1:])), own], axis=2)


class Group:
    """Rows of about one length: tokens (rows, length), padded on the right; the trained targets and their places."""

    def __init__(self, examples: Sequence[Example]) -> None:
        length = max(len(e.tokens) for e in examples)
        padded = [e.tokens + [0] * (length - len(e.tokens)) for e in examples]
        # The token at i + 1 is predicted at i. What a row trains never begins its own part.
        places = [(r, i) for r, e in enumerate(examples) for i in range(len(e.tokens) - 1) if e.trained[i + 1]]
        self.tokens = mx.array(padded)
        self.places = mx.array([r * length + i for r, i in places])
        self.targets = mx.array([examples[r].tokens[i + 1] for r, i in places])


class Batch:
    """The rows of one step, in groups; `size` counts their tokens with padding, `targets` the trained ones."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.groups = [Group(group) for group in groups(examples)]
        self.size = sum(group.tokens.size for group in self.groups)
        self.targets = sum(group.targets.size for group in self.groups)


def shared_prefix_loss(model: Any, core: Core, batch: Batch) -> mx.array:
    """Sum of the cross entropies (nats) at the trained tokens; divide by `batch.targets` for the mean.

    Logits are computed only where a token is trained: of a batch of 1,000 tokens with a vocabulary of 49,152 all of
    them would take 200 MB.
    """
    caches = core.read(model)
    total = mx.array(0.0)
    for group in batch.groups:
        hidden = core.go_on(model, group.tokens, caches)
        hidden = hidden.reshape(-1, hidden.shape[-1])[group.places]
        total += cross_entropy(_head(model, hidden).astype(mx.float32), group.targets)
    return total


def whole_row_loss(model: Any, core: Sequence[int], example: Example) -> mx.array:
    """The same sum the plain way: the whole row with its core, and all logits. Slow; to check the other one with."""
    row = [*core, *example.tokens]
    trained = [False] * len(core) + example.trained
    logits = model(mx.array([row[:-1]]))[0].astype(mx.float32)
    each = nn.losses.cross_entropy(logits, mx.array(row[1:]))
    return (each * mx.array([float(t) for t in trained[1:]])).sum()


def _head(model: Any, hidden: mx.array) -> mx.array:
    if hasattr(model, "lm_head"):
        return model.lm_head(hidden)
    return model.model.embed_tokens.as_linear(hidden)
