"""Cross entropy whose backward pass uses the exponentials of the forward pass.

On the CPU backend an exponential costs 50 times a product, a power 17 times; MLX's own cross entropy takes two
exponentials for each of rows × vocabulary logits.
"""

import math
from typing import Any

import mlx.core as mx

from punie_cli.engine.blas import backend

_LOG2_E = 1 / math.log(2)


def cross_entropy(logits: mx.array, targets: mx.array) -> mx.array:
    """Sum over the rows of -log softmax(logits)[target] in nats; logits (rows, vocabulary) float32, targets (rows,)."""
    outputs: Any = _summed(logits, targets)
    return outputs[0]


@mx.custom_function
def _summed(logits: mx.array, targets: mx.array) -> tuple[mx.array, mx.array, mx.array]:
    highest = logits.max(axis=-1, keepdims=True)
    powers = _exponential(logits - highest)
    whole = powers.sum(axis=-1, keepdims=True)
    wanted = mx.take_along_axis(logits, targets[:, None], axis=-1)
    return (mx.log(whole) + highest - wanted).sum(), powers, whole


@_summed.vjp
def _(primals: tuple, cotangents: tuple, outputs: tuple) -> tuple[mx.array, mx.array]:
    logits, targets = primals
    _, powers, whole = outputs
    cotangent = cotangents[0]
    gradient = powers * (cotangent / whole)
    gradient = gradient.at[mx.arange(logits.shape[0]), targets].add(-cotangent)
    return gradient, mx.zeros_like(targets)


def _exponential(x: mx.array) -> mx.array:
    return mx.power(2.0, x * _LOG2_E) if backend() == "cpu" else mx.exp(x)
