"""Training steps of punie against mlx_lm's own loss on the same rows: both in turn in one process, as a ratio.

    python benchmarks/training.py [MODEL DIRECTORY] [STEPS]

One step is the gradient of ten shipped rows. mlx_lm reads whole rows, each with the prompt core; punie reads the core
once.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.models.load import load
from punie_cli.models.store import find
from punie_cli.paths import shipped
from punie_cli.rows.build import read_split
from punie_cli.training.batches import encode
from punie_cli.training.phase import Lora

ROWS = 10


def main(arguments: list[str]) -> None:
    model, tokenizer, _ = load(Path(arguments[0]) if arguments else find(None))
    steps = int(arguments[1]) if len(arguments) > 1 else 3
    # After load, which puts the BLAS in place before mlx.
    import mlx.core as mx
    import mlx.nn as nn
    from mlx_lm.tuner.trainer import default_loss

    from punie_cli.training.loop import add_lora
    from punie_cli.training.prefix import Batch, shared_prefix_loss

    add_lora(model, Lora())
    renderer = Renderer(PromptCore.build(Registry(), "tags"), tokenizer)
    rows = read_split(shipped("rows", "phase-23")).train
    core = renderer.core_tokens

    def ours(start: int) -> Any:
        examples, _ = encode(rows[start : start + ROWS], renderer, 2048)
        return nn.value_and_grad(model, lambda b: shared_prefix_loss(model, mx.array([core]), b) / b.targets)(
            Batch(examples)
        )

    def theirs(start: int) -> Any:
        tokens = [renderer.row(row.messages, tail=row.tail)[0] for row in rows[start : start + ROWS]]
        # mlx_lm pads to one more than a multiple of 32.
        longest = 1 + 32 * -(-max(map(len, tokens)) // 32)
        batch = mx.array([t + [0] * (longest - len(t)) for t in tokens])
        lengths = mx.array([[len(core), len(t)] for t in tokens])
        return nn.value_and_grad(model, lambda b, n: default_loss(model, b, n)[0])(batch, lengths)

    def seconds(step: Callable[[int], Any], start: int) -> float:
        begin = time.perf_counter()
        mx.eval(step(start))
        return time.perf_counter() - begin

    seconds(ours, 0)
    taken = [(seconds(ours, i * ROWS), seconds(theirs, i * ROWS)) for i in range(steps)]
    for mine, stock in taken:
        print(f"punie {mine:6.2f} s   mlx_lm {stock:6.2f} s   ratio {stock / mine:5.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
