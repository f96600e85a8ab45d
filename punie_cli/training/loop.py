"""The training loop: mlx_lm's models and LoRA layers, our batches, loss, checkpoints and stop.

mlx_lm's own trainer counts padding as targets, drops part of the rows and cannot resume exactly (docs/training.md).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import mlx.core as mx

from punie_cli.errors import InterruptedByUser, PunieError
from punie_cli.training import checkpoint
from punie_cli.training.batches import Example, batches
from punie_cli.training.checkpoint import Progress
from punie_cli.training.optimizer import make_optimizer
from punie_cli.training.phase import Phase
from punie_cli.training.prefix import Core
from punie_cli.training.reports import LoopReport, Saved, Step, Stopped, Validated
from punie_cli.training.step import Stepper, Taken
from punie_cli.training.validate import validation_loss

MAX_BAD_STEPS = 3

Probe = Callable[[Any], float]


def train(
    model: Any,
    core: Core,
    examples: Sequence[Example],
    validation: Sequence[Example],
    phase: Phase,
    steps: int,
    folder: Path,
    resume: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
    probe: Probe | None = None,
    group: Any = None,
) -> Iterator[LoopReport]:
    """Train in place for `steps` optimizer steps, checkpoints below `folder`; yields what happens.

    The validation set is read before the first step. A checkpoint is written every `checkpoint_every` steps, after the
    last one, and when `stop()` says so. At each but that one the validation set is read and `probe` called with the
    model; its score (0 to 1) chooses the best checkpoint, the loss where there is none. Raises PunieError after three
    steps in a row whose loss or gradient is not finite, and for a checkpoint that cannot be written.

    In a `group` of hosts the first one alone writes; the others follow its state.
    """
    optimizer = make_optimizer(phase.optimizer, steps)
    optimizer.init(model.trainable_parameters())
    progress = checkpoint.restore(resume, model, optimizer) if resume else Progress()
    if group:
        progress = group.follow(model, optimizer, progress)
    writes = group is None or group.rank == 0
    stepper = Stepper(model, core, phase, optimizer, group)
    bad = 0
    if progress.step == 0:
        # Where the run begins; no checkpoint stands for it, so that it is never the best.
        yield Validated(0, validation_loss(model, core, validation, phase.train, group), best=False)
    if _due(phase, progress.step, steps) and progress.validated != progress.step:
        # The run was stopped before this validation; without it another checkpoint could come out as the best.
        yield _validate(model, core, validation, phase, progress, probe, group)
        if writes:
            yield Saved(progress.step, checkpoint.save(folder, model, optimizer, progress))
    if _out_of_patience(phase, progress) and progress.step < steps:
        yield Stopped(progress.step, "patience")
        return
    ordered = batches(examples, phase.train.batch * phase.train.accumulate, steps, phase.train.seed)
    for number, rows in enumerate(islice(ordered, progress.step, None), start=progress.step + 1):
        begin = time.monotonic()
        taken = stepper.take(number, rows, stop=stop())
        bad = 0 if taken.finite else bad + 1
        if bad == MAX_BAD_STEPS:
            raise PunieError(
                f"the loss was not finite in {bad} steps in a row, up to step {number}",
                "--set optimizer.learning_rate=… with a lower one",
            )
        seconds = time.monotonic() - begin
        progress.step, progress.tokens = number, progress.tokens + taken.tokens
        progress.seconds += seconds
        yield _report(taken, progress, steps, len(rows), seconds, float(optimizer.learning_rate))
        # Hosts must stop at the same step: each step carries the word to the others.
        stopped = taken.stop if group else stop()
        due = _due(phase, number, steps)
        if due and not stopped:
            try:
                yield _validate(model, core, validation, phase, progress, probe, group)
            except InterruptedByUser:
                stopped = True
        if writes and (due or stopped):
            yield Saved(number, checkpoint.save(folder, model, optimizer, progress))
        if stopped:
            yield Stopped(number)
            return
        if number < steps and _out_of_patience(phase, progress):
            yield Stopped(number, "patience")
            return


def _due(phase: Phase, step: int, steps: int) -> bool:
    return step > 0 and (step == steps or step % phase.train.checkpoint_every == 0)


def _out_of_patience(phase: Phase, progress: Progress) -> bool:
    return phase.train.patience is not None and progress.since_best >= phase.train.patience


def _report(taken: Taken, progress: Progress, steps: int, rows: int, seconds: float, rate: float) -> Step:
    number = progress.step
    left = progress.seconds / number * (steps - number)
    peak = mx.get_peak_memory() / 1e9
    return Step(
        number, steps, taken.loss, taken.norm, rate, rows, seconds, taken.tokens / seconds, left, peak, not taken.finite
    )


def _validate(
    model: Any,
    core: Core,
    examples: Sequence[Example],
    phase: Phase,
    progress: Progress,
    probe: Probe | None,
    group: Any,
) -> Validated:
    loss = validation_loss(model, core, examples, phase.train, group)
    score = None
    if probe is not None:
        model.eval()
        score = probe(model) if group is None else group.ask_first(lambda: probe(model))
    best = progress.judge(loss, score)
    return Validated(progress.step, loss, best, score)
