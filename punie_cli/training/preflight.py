"""Before a run: two real steps on its longest batch say memory and time; what would fit is computed from them."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mlx.core as mx
import psutil
from mlx.utils import tree_map

from punie_cli.errors import UsageError
from punie_cli.training import checkpoint
from punie_cli.training.batches import Example, batches, micro_batches, padded_tokens
from punie_cli.training.optimizer import make_optimizer
from punie_cli.training.phase import Phase, Train
from punie_cli.training.prefix import Batch, Core, shared_prefix_loss, whole_row_loss
from punie_cli.training.reports import Preflight, Tier
from punie_cli.training.step import Stepper

# Up to this part of the limit a run has room for what else the machine does.
SAFE = 0.8
# A validation reads forward only: about a third of a step on the same tokens.
_FORWARD = 1 / 3
# Of a step's activations, what stays with grad_checkpoint: the inputs of layers and one layer's own. Estimated.
_CHECKPOINTED = 0.35
_EXACT = 1e-3


@dataclass(frozen=True)
class Costs:
    """A step's peak in bytes is `base` + `per_token` × tokens of its largest batch (padding and core included)."""

    base: float
    per_token: float

    def peak(self, tokens: int) -> float:
        """Bytes for a batch of so many tokens."""
        return self.base + self.per_token * tokens


def memory_limit() -> int:
    """Bytes that a run may use: what the device recommends, else the free memory and what this process has."""
    recommended = mx.device_info().get("max_recommended_working_set_size")
    return int(recommended) if recommended else psutil.virtual_memory().available + mx.get_active_memory()


def tier(peak: float, limit: float) -> Tier:
    """SAFE up to 80 % of the limit, TIGHT up to all of it, OOM above."""
    if peak <= SAFE * limit:
        return "SAFE"
    return "TIGHT" if peak <= limit else "OOM"


def preflight(
    model: Any,
    core: Core,
    examples: Sequence[Example],
    validation: Sequence[Example],
    phase: Phase,
    steps: int,
    *,
    layers: int,
    left: int,
    limit: int | None = None,
) -> Preflight:
    """Take two steps on the longest batch and undo them; model and random state are then as they were.

    `left` of `steps` steps are to come. A batch of one short row goes first: if the longest batch would pass the limit
    by its measure, it is not tried (on Metal it would end the process). Raises UsageError for a model whose loss is
    not what it is for whole rows.
    """
    limit = memory_limit() if limit is None else limit
    before = tree_map(lambda value: value, model.trainable_parameters())
    # The order is a function of the seed: this is the longest step that will come, not one of the longest rows.
    ordered = batches(examples, phase.train.batch * phase.train.accumulate, steps, phase.train.seed)
    longest = max(ordered, key=lambda rows: max(padded_tokens(batch) for batch in _batches(rows, phase.train)))
    largest = max(padded_tokens(b) for b in _batches(longest, phase.train)) + core.size
    optimizer = make_optimizer(phase.optimizer, 4)
    optimizer.init(model.trainable_parameters())
    mx.eval(optimizer.state)
    stepper = Stepper(model, core, phase, optimizer)
    try:
        short = min(examples, key=lambda e: len(e.tokens))
        _require_exact(model, core, short)
        numbers = itertools.count(1)
        base, (small, _) = mx.get_active_memory(), _measured(lambda: stepper.take(next(numbers), [short]))
        costs = Costs(base, (small - base) / (len(short.tokens) + core.size))
        peak, measured, seconds = costs.peak(largest), False, 0.0
        if tier(peak, limit) != "OOM":
            found = [_measured(lambda: stepper.take(next(numbers), longest)) for _ in range(2)]
            peak, measured = max(p for p, _ in found), True
            seconds = found[-1][1]
            costs = Costs(base, (peak - base) / largest)
    finally:
        model.update(before)
        mx.clear_cache()
        mx.reset_peak_memory()
    size = checkpoint.size(model)
    return Preflight(
        peak_gb=peak / 1e9,
        limit_gb=limit / 1e9,
        tier=tier(peak, limit),
        measured=measured,
        step_seconds=seconds,
        seconds=_whole(seconds, longest, examples, validation, core.size, phase, steps, left),
        # The two newest and the best, and one that is being written.
        disk_gb=(checkpoint.KEPT + 2) * size / 1e9,
        advice="" if peak <= limit else advice(phase, costs, longest, core.size, layers, limit),
    )


def advice(phase: Phase, costs: Costs, longest: Sequence[Example], core: int, layers: int, limit: float) -> str:
    """The first change that would fit by these costs, as `--set` options; smaller batches before fewer layers."""
    for text, change, factor in _changes(phase.train, layers):
        tokens = max(padded_tokens(b) for b in _batches(longest, change)) + core
        peak = replace(costs, per_token=costs.per_token * factor).peak(tokens)
        if peak <= limit:
            return f"{text} needs about {peak / 1e9:.2f} GB"
    return "no setting fits here: choose a smaller base model"


def _changes(train: Train, layers: int) -> Iterator[tuple[str, Train, float]]:
    rows = train.batch * train.accumulate
    batch = train.batch
    while batch > 1:
        batch //= 2
        accumulate = -(-rows // batch)
        text = f"--set train.batch={batch} --set train.accumulate={accumulate} (the same steps)"
        yield text, train.model_copy(update={"batch": batch, "accumulate": accumulate}), 1.0
    one = train.model_copy(update={"batch": 1, "accumulate": rows})
    start = f"--set train.batch=1 --set train.accumulate={rows}" if rows > 1 else ""
    factor = 1.0
    if not train.grad_checkpoint:
        start, factor = f"{start} --set train.grad_checkpoint=true".strip(), _CHECKPOINTED
        yield start, one, factor
    for fewer in (layers // 2, layers // 4, 1):
        if 1 <= fewer < layers:
            yield f"{start} --set lora.layers={fewer}".strip(), one, factor * fewer / layers


def _batches(rows: Sequence[Example], train: Train) -> list[list[Example]]:
    return micro_batches(rows, train.batch, train.batch_tokens)


def _measured(step: Callable[[], Any]) -> tuple[int, float]:
    """Peak bytes and seconds of a step."""
    mx.reset_peak_memory()
    begin = time.monotonic()
    step()
    return mx.get_peak_memory(), time.monotonic() - begin


def _require_exact(model: Any, core: Core, example: Example) -> None:
    model.eval()
    ours = shared_prefix_loss(model, core, Batch([example])).item()
    plain = whole_row_loss(model, core.tokens, example).item()
    # bfloat16 rounds to three digits; a layer that this loss does not know is far off.
    if abs(ours - plain) > max(_EXACT, 0.02 * abs(plain)):
        raise UsageError(
            f"this model cannot be trained: a row's loss is {plain:.4f}, and {ours:.4f} with a shared prompt core",
            "punie models list --catalogue",
        )


def _whole(
    seconds: float,
    longest: Sequence[Example],
    examples: Sequence[Example],
    validation: Sequence[Example],
    core: int,
    phase: Phase,
    steps: int,
    left: int,
) -> float:
    """Seconds for the steps that are left and their validations, by tokens."""
    train = phase.train
    measured = sum(padded_tokens(b) + core for b in _batches(longest, train))
    rows = train.batch * train.accumulate
    mean = sum(len(e.tokens) for e in examples) / len(examples)
    step = min(rows, len(examples)) * mean + core * len(_batches(longest, train))
    read = sum(padded_tokens(b) + core for b in _batches(validation, train))
    validations = steps // train.checkpoint_every + 1 - (steps - left) // train.checkpoint_every
    return seconds / measured * (left * step + validations * read * _FORWARD)
