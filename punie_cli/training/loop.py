"""The training loop: mlx_lm's models and LoRA layers, our batches, loss, checkpoints and stop.

mlx_lm's own trainer counts padding as targets, drops part of the rows and cannot resume exactly (docs/training.md).
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optimizers
from mlx.utils import tree_flatten, tree_map

from punie_cli.errors import PunieError, UsageError
from punie_cli.training import checkpoint
from punie_cli.training.batches import Example, batches
from punie_cli.training.checkpoint import Progress
from punie_cli.training.phase import Lora, Optimizer, Phase
from punie_cli.training.prefix import Batch, shared_prefix_loss

MAX_BAD_STEPS = 3


@dataclass(frozen=True)
class Step:
    """One optimizer step. `loss` is the mean over trained tokens (nats); `tokens_per_s` counts all tokens read."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    tokens_per_s: float
    seconds_left: float
    peak_gb: float


@dataclass(frozen=True)
class Validated:
    """The loss over the whole fixed validation set; `best`: no earlier one was lower."""

    step: int
    loss: float
    best: bool


@dataclass(frozen=True)
class Stopped:
    """The run was asked to stop; the step was finished and a checkpoint written."""

    step: int


Report = Step | Validated | Stopped


def add_lora(model: Any, lora: Lora) -> int:
    """Freeze the model and put LoRA layers in. Returns the number of trainable parameters.

    Raises UsageError for a number of layers that the model does not have: mlx_lm reads 0 as all of them.
    """
    from mlx_lm.tuner.utils import linear_to_lora_layers

    total = len(model.layers)
    layers = total if lora.layers == "all" else lora.layers
    if not 1 <= layers <= total:
        raise UsageError(f"lora.layers is {layers}; this model has {total}", "set it to a number from 1, or to 'all'")
    model.freeze()
    linear_to_lora_layers(model, layers, lora.parameters)
    parameters: Any = tree_flatten(model.trainable_parameters())
    size = sum(value.size for _, value in parameters)
    if not size:
        raise UsageError(f"no layer of this model is named by lora.keys: {', '.join(lora.keys)}")
    return size


def make_optimizer(settings: Optimizer, steps: int) -> Any:
    """Adam with bias correction; the learning rate rises over `warmup` steps and falls linearly to zero."""
    peak, warmup = settings.learning_rate, min(settings.warmup, steps - 1)

    def rate(step: mx.array) -> mx.array:
        rising = (step + 1) / (warmup + 1)
        falling = (steps - step) / max(steps - warmup, 1)
        return peak * mx.minimum(mx.minimum(rising, falling), 1.0)

    return optimizers.Adam(learning_rate=rate, betas=[0.9, 0.98], bias_correction=True)


def train(
    model: Any,
    core_tokens: Sequence[int],
    examples: Sequence[Example],
    validation: Sequence[Example],
    phase: Phase,
    steps: int,
    folder: Path,
    resume: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Report]:
    """Train in place for `steps` optimizer steps, checkpoints below `folder`; yields what happens.

    After the last step, and when `stop()` says so, a checkpoint is written. Raises PunieError after three steps in a
    row whose gradient is not finite.
    """
    optimizer = make_optimizer(phase.optimizer, steps)
    optimizer.init(model.trainable_parameters())
    progress = checkpoint.restore(resume, model, optimizer) if resume else Progress()
    core = mx.array([list(core_tokens)])
    loss_and_grad = nn.value_and_grad(model, lambda batch: shared_prefix_loss(model, core, batch))
    bad = 0
    ordered = batches(examples, phase.train.batch, steps, phase.train.seed)
    for number, chosen in enumerate(islice(ordered, progress.step, None), start=progress.step + 1):
        begin = time.monotonic()
        # Dropout depends on the step alone, so that a resumed run draws the same.
        mx.random.seed(phase.train.seed * 1_000_003 + number)
        model.train()
        batch = Batch(chosen)
        targets = batch.targets
        total, gradient = loss_and_grad(batch)
        gradient = _scaled(gradient, 1 / targets)
        gradient, norm = optimizers.clip_grad_norm(gradient, phase.optimizer.clip)
        loss = total.item() / targets
        if math.isfinite(loss) and math.isfinite(norm.item()):
            bad = 0
            optimizer.update(model, gradient)
        else:
            bad += 1
            if bad == MAX_BAD_STEPS:
                raise PunieError(
                    f"the loss was not finite in {bad} steps in a row, up to step {number}",
                    "lower optimizer.learning_rate in the phase",
                )
        mx.eval(model.trainable_parameters(), optimizer.state)
        del total, gradient
        took = time.monotonic() - begin
        read = batch.size + core.size
        progress.step, progress.tokens = number, progress.tokens + read
        progress.seconds += took
        rate = float(optimizer.learning_rate)
        yield Step(
            number,
            steps,
            loss,
            rate,
            read / took,
            progress.seconds / number * (steps - number),
            mx.get_peak_memory() / 1e9,
        )
        stopped = stop()
        if stopped or number == steps or number % phase.train.checkpoint_every == 0:
            if not stopped:
                yield _validate(model, core, validation, phase.train.batch, progress)
            checkpoint.save(folder, model, optimizer, progress)
        if stopped:
            yield Stopped(number)
            return


def validation_loss(model: Any, core: mx.array, examples: Sequence[Example], size: int) -> float:
    """Mean loss (nats) over every trained token of the examples."""
    model.eval()
    total, targets = 0.0, 0
    for start in range(0, len(examples), size):
        batch = Batch(examples[start : start + size])
        total += float(shared_prefix_loss(model, core, batch))
        targets += batch.targets
    return total / targets


def _validate(model: Any, core: mx.array, examples: Sequence[Example], size: int, progress: Progress) -> Validated:
    loss = validation_loss(model, core, examples, size)
    best = progress.best_loss is None or loss < progress.best_loss
    progress.losses.append((progress.step, loss))
    if best:
        progress.best_loss, progress.best_step = loss, progress.step
    return Validated(progress.step, loss, best)


def _scaled(tree: Any, by: float) -> Any:
    return tree_map(lambda value: value * by, tree)
