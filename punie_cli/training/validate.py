"""The loss on rows that are not trained, over the same whole set each time."""

from collections.abc import Sequence
from typing import Any

import mlx.core as mx

from punie_cli.training.batches import Example, micro_batches
from punie_cli.training.phase import Train
from punie_cli.training.prefix import Batch, Core, shared_prefix_loss


def validation_loss(model: Any, core: Core, examples: Sequence[Example], train: Train, group: Any = None) -> float:
    """Mean loss (nats) over every trained token of the examples; with a group of hosts each reads its share."""
    model.eval()
    own = examples[group.rank :: group.size] if group else examples
    total, targets = 0.0, 0
    for chosen in micro_batches(own, train.batch, train.batch_tokens):
        batch = Batch(chosen)
        loss = shared_prefix_loss(model, core, batch)
        mx.eval(loss)
        total += float(loss)
        targets += batch.targets
    if group:
        (total, targets), _ = group.sum([total, targets], {})
    return total / targets
