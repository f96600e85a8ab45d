"""A tiny model, a tiny phase and few rows: what the tests of training share."""

import json
from pathlib import Path
from random import Random
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from punie_cli.agent.messages import answer, output, program, user
from punie_cli.models.load import load
from punie_cli.rows.row import Row, dump_rows
from punie_cli.training.adapt import adapt
from punie_cli.training.batches import Example
from punie_cli.training.phase import Lora, Optimizer, Phase, Rows, Train

CORE = [5, 9, 11, 30, 31, 32]


def example(rng: Random, length: int) -> Example:
    return Example([rng.randrange(3, 300) for _ in range(length)], [i > length // 2 for i in range(length)])


def some_examples(number: int = 23, seed: int = 1) -> list[Example]:
    rng = Random(seed)
    return [example(rng, rng.randint(4, 20)) for _ in range(number)]


def tiny_phase(**train: Any) -> Phase:
    fields: dict[str, Any] = {"batch": 4, "checkpoint_every": 3, "validation_rows": 4} | train
    return Phase(
        number=23,
        title="tiny",
        rows=Rows(groups={}),
        lora=Lora(rank=4),
        optimizer=Optimizer(learning_rate=1e-2, warmup=2),
        train=Train(**fields),
    )


def lora_model(base: Path, lora: Lora, method: str = "lora") -> Any:
    model, _, _ = load(base)
    mx.random.seed(7)
    adapt(model, lora, method)
    return model


def weights(model: Any) -> dict[str, np.ndarray]:
    arrays: Any = tree_flatten(model.trainable_parameters())
    return {name: np.array(value) for name, value in arrays}


def some_rows(number: int, longer: int = 0) -> list[Row]:
    """Rows that differ in length where `longer` says so."""
    return [
        Row(
            source="check",
            intent="i",
            project="p",
            messages=(
                user(f"check a{i}.py" + " please" * (i * longer % 7)),
                program(f'print(typecheck("a{i}.py"))'),
                output("no type errors\n"),
                answer(f"No type errors in a{i}.py."),
            ),
        )
        for i in range(number)
    ]


def write_rows(home: Path, train: int = 30, longer: int = 0) -> None:
    """Put rows of phase 23 where a run below `home` finds them."""
    folder = home / "data" / "rows" / "23"
    folder.mkdir(parents=True, exist_ok=True)
    for side, rows in (("train", some_rows(train, longer)), ("valid", some_rows(3)), ("test", [])):
        (folder / f"{side}.jsonl").write_text(dump_rows(rows))
    (folder / "manifest.json").write_text("{}")


def records(run: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl, or those of one type."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if kind in (None, line["type"])]


# Of a step everything but what depends on the machine.
TINY = ("--set", "train.batch=4", "--set", "train.steps=9", "--set", "train.checkpoint_every=3")
