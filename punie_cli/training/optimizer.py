"""Adam and the course of its learning rate."""

import math
from typing import Any

import mlx.core as mx
import mlx.optimizers as optimizers

from punie_cli.training.phase import Optimizer


def make_optimizer(settings: Optimizer, steps: int) -> Any:
    """Adam with bias correction for a run of `steps` steps.

    The learning rate rises over `warmup` steps, then stays, or falls along a line or half a cosine to zero behind the
    last step.
    """
    peak, warmup = settings.learning_rate, min(settings.warmup, steps - 1)

    def rate(step: mx.array) -> mx.array:
        rising = (step + 1) / (warmup + 1)
        # 1 at the end of the warm-up, 0 after the last step.
        left = mx.minimum((steps - step) / max(steps - warmup, 1), 1.0)
        match settings.schedule:
            case "linear":
                falling = left
            case "cosine":
                falling = 0.5 * (1 - mx.cos(math.pi * left))
            case "constant":
                falling = mx.ones_like(left)
        return peak * mx.minimum(mx.minimum(rising, falling), 1.0)

    return optimizers.Adam(learning_rate=rate, betas=[0.9, 0.98], bias_correction=True)
