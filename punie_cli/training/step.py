"""One optimizer step: the rows in batches, their gradients summed and divided once by the number of trained tokens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optimizers
from mlx.utils import tree_map

from punie_cli.training.batches import Example, micro_batches
from punie_cli.training.phase import Phase
from punie_cli.training.prefix import Batch, Core, shared_prefix_loss


@dataclass(frozen=True)
class Taken:
    """What a step came to. `tokens` were read, padding and core included; `stop`: some host wants to stop.

    With `finite` off nothing was changed.
    """

    loss: float
    norm: float
    tokens: int
    finite: bool
    stop: bool


class Stepper:
    """Steps of one run. With a group of hosts every one of them takes each step, with its share of the rows."""

    def __init__(self, model: Any, core: Core, phase: Phase, optimizer: Any, group: Any = None) -> None:
        self._model, self._core, self._phase = model, core, phase
        self._optimizer, self._group = optimizer, group
        self._gradient = nn.value_and_grad(model, lambda batch: shared_prefix_loss(model, core, batch))

    def take(self, number: int, rows: Sequence[Example], *, stop: bool = False) -> Taken:
        """Step `number` (from 1) with all its rows; the model is changed in place."""
        # Dropout depends on step and host alone, so that a resumed run draws the same.
        rank = self._group.rank if self._group else 0
        mx.random.seed((self._phase.train.seed * 1_000_003 + number) * 1_009 + rank)
        self._model.train()
        own = rows[rank :: self._group.size] if self._group else rows
        total, targets, read, gradient = self._sums(own)
        if self._group:
            (total, targets, read, stopping), gradient = self._group.sum([total, targets, read, float(stop)], gradient)
            stop = stopping > 0
        gradient = tree_map(lambda value: value / targets, gradient)
        gradient, norm = optimizers.clip_grad_norm(gradient, self._phase.optimizer.clip)
        mx.eval(gradient, norm)
        finite = math.isfinite(total) and math.isfinite(norm.item())
        if finite:
            self._optimizer.update(self._model, gradient)
            mx.eval(self._model.trainable_parameters(), self._optimizer.state)
        return Taken(total / targets, norm.item(), round(read), finite, stop)

    def _sums(self, rows: Sequence[Example]) -> tuple[float, float, float, Any]:
        """Loss, trained tokens, tokens read and gradient, each summed over the rows; zeros for no rows."""
        train = self._phase.train
        total, targets, read = 0.0, 0, 0
        gradient: Any = None
        for chosen in micro_batches(rows, train.batch, train.batch_tokens):
            batch = Batch(chosen)
            loss, new = self._gradient(batch)
            gradient = new if gradient is None else tree_map(mx.add, gradient, new)
            # Here, so that the activations of one batch are gone before the next.
            mx.eval(loss, gradient)
            total += loss.item()
            targets += batch.targets
            read += batch.size + self._core.size
        if gradient is None:
            gradient = tree_map(mx.zeros_like, self._model.trainable_parameters())
        return total, targets, read, gradient
