"""Loss over a batch that reads the prompt core once, not once a row. Exact, not an approximation.

Every row of a phase begins with the same core (about 240 tokens; a row's own part has about 100). The core goes through
the model once with batch size 1; its keys and values, still part of the graph, stand before each row's own in
attention. With ten rows a step this reads 1,240 tokens in place of 3,400, and the gradient is that of full rows. It
needs nothing but the cache protocol of mlx_lm's models, and full attention.
"""

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from punie_cli.training.batches import Example, groups


class _Recorder:
    """Takes the place of a layer's KV cache and keeps what it is given."""

    offset = 0

    def __init__(self) -> None:
        self.keys: Any = None
        self.values: Any = None

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        self.keys, self.values = keys, values
        return keys, values

    def make_mask(self, *_: Any, **__: Any) -> str:
        return "causal"


class _Shared:
    """Takes the place of a layer's KV cache: recorded keys and values stand before those of every row."""

    def __init__(self, recorded: _Recorder) -> None:
        self._keys, self._values = recorded.keys, recorded.values
        self.offset = recorded.keys.shape[2]

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        return _behind(self._keys, keys), _behind(self._values, values)

    def make_mask(self, *_: Any, **__: Any) -> str:
        # MLX aligns a causal mask at the end: a query sees the core and what precedes it in its row.
        return "causal"


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


def shared_prefix_loss(model: Any, core: mx.array, batch: Batch) -> mx.array:
    """Sum of the cross entropies (nats) at the trained tokens; divide by `batch.targets` for the mean.

    `core` has shape (1, tokens). Logits are computed only where a token is trained: of a batch of 1,000 tokens with a
    vocabulary of 49,152 all of them would take 200 MB.
    """
    recorders = [_Recorder() for _ in model.layers]
    model.model(core, cache=recorders)
    total = mx.array(0.0)
    for group in batch.groups:
        hidden = model.model(group.tokens, cache=[_Shared(r) for r in recorders])
        hidden = hidden.reshape(-1, hidden.shape[-1])[group.places]
        total += nn.losses.cross_entropy(_head(model, hidden).astype(mx.float32), group.targets, reduction="sum")
    return total


def _head(model: Any, hidden: mx.array) -> mx.array:
    if hasattr(model, "lm_head"):
        return model.lm_head(hidden)
    return model.model.embed_tokens.as_linear(hidden)
