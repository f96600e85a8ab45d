"""punie's training against mlx_lm's own, on the same rows, keys and layers, in turn: rows per second, and the ratio.

    python benchmarks/training.py [MODEL DIRECTORY] [--steps 40] [--rounds 3] [--layers 8] [--batch 1]

punie: `training.loop.train`. mlx_lm: `tuner.trainer.train` with its own `iterate_batches` and `default_loss`. Both
train LoRA of rank 8 on the seven linear layers of the last LAYERS layers with Adam, over the first rows of phase 23,
each once. Loading, validation and checkpoints are not in the time; both have the same BLAS, and no mx.compile on the
CPU. Each measurement is a process of its own, punie and mlx_lm in turn, so that another load meets both.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PHASE = 23
RANK, SCALE, RATE = 8, 2.0, 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, help="by default the model in use")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--only", choices=list(_TRAINERS), help="one measurement in this process, as JSON")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(_TRAINERS[options.only](options)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in _TRAINERS}
    for number in range(1, options.rounds + 1):
        for name, results in found.items():
            results.append(measured(name))
        ours, theirs = (results[-1]["rows_per_s"] for results in found.values())
        line = f"round {number}: punie {ours:.2f} rows/s, mlx_lm {theirs:.2f} rows/s, ratio {ours / theirs:.2f}"
        print(line, flush=True)
    print(f"{'':8}{'rows/s':>8}{'rows/CPU s':>12}{'peak GB':>9}{'loss':>8}")
    for name, results in found.items():
        middle = {key: statistics.median(result[key] for result in results) for key in results[0]}
        print(
            f"{name:8}{middle['rows_per_s']:8.2f}{middle['rows_per_cpu_s']:12.2f}"
            f"{middle['peak_gb']:9.2f}{middle['loss']:8.3f}"
        )
    for key, what in (("rows_per_s", "rows/s"), ("rows_per_cpu_s", "rows/CPU s")):
        ratios = [a[key] / b[key] for a, b in zip(*found.values(), strict=True)]
        print(f"{what}: median ratio {statistics.median(ratios):.2f}, lowest {min(ratios):.2f}")


def measured(name: str) -> dict[str, float]:
    """One measurement in a new process with this one's options."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    # mlx_lm's trainer prints, too.
    return json.loads(done.stdout.splitlines()[-1])


def prepared(options: argparse.Namespace) -> tuple[Any, Any, list[Any]]:
    """The model with its LoRA layers, the renderer, and the rows that the steps will see."""
    from punie_cli.models.load import load
    from punie_cli.models.store import find

    # Puts the BLAS in place before anything imports mlx.
    model, tokenizer, _ = load(options.model or find(None))
    import mlx.core as mx

    from punie_cli.agent.prompt import PromptCore, Renderer, dialect_for
    from punie_cli.builtins.registry import Registry
    from punie_cli.rows.build import find_rows, read_split
    from punie_cli.training.adapt import adapt
    from punie_cli.training.phase import Lora, load_phase

    phase = load_phase(PHASE)
    mx.random.seed(0)
    adapt(model, Lora(rank=RANK, scale=SCALE, layers=options.layers))
    renderer = Renderer(PromptCore.build(Registry(phase.builtins), dialect_for(tokenizer)), tokenizer)
    rows = read_split(find_rows(phase)).train[: options.steps * options.batch]
    if len(rows) < options.steps * options.batch:
        sys.exit(f"phase {PHASE} has {len(rows)} rows: too few for {options.steps} steps of {options.batch}")
    return model, renderer, rows


def punie(options: argparse.Namespace) -> dict[str, float]:
    model, renderer, rows = prepared(options)
    from punie_cli.training import loop
    from punie_cli.training.batches import encode
    from punie_cli.training.phase import Optimizer, Phase, Rows, Train
    from punie_cli.training.prefix import Core
    from punie_cli.training.reports import Step

    examples, _ = encode(rows, renderer, 4096)
    phase = Phase(
        number=PHASE,
        title="benchmark",
        rows=Rows(groups={}),
        optimizer=Optimizer(learning_rate=RATE, schedule="constant"),
        train=Train(steps=options.steps, batch=options.batch, checkpoint_every=10**6),
    )
    losses = []
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter(), time.process_time()
        core = Core(model, renderer.core_tokens)
        for report in loop.train(model, core, examples, examples[:1], phase, options.steps, Path(folder)):
            if isinstance(report, Step):
                losses.append(report.loss)
                if report.step == options.steps:
                    break
        return result(options, begin, sum(losses) / len(losses))


def mlx_lm(options: argparse.Namespace) -> dict[str, float]:
    model, renderer, rows = prepared(options)
    import mlx.optimizers
    from mlx_lm.tuner import trainer

    core = len(renderer.core_tokens)
    # mlx_lm's mask begins at the offset: all behind the core is trained, which costs it nothing.
    dataset = [(renderer.row(row.messages, tail=row.tail)[0], core) for row in rows]
    found: dict[str, float] = {}

    class Callback(trainer.TrainingCallback):
        def on_train_loss_report(self, train_info: dict) -> None:
            found["loss"] = train_info["train_loss"]

    with tempfile.TemporaryDirectory() as folder:
        arguments = trainer.TrainingArgs(
            batch_size=options.batch,
            iters=options.steps,
            steps_per_report=options.steps,
            steps_per_save=10**6,
            max_seq_length=4096,
            adapter_file=str(Path(folder) / "adapters.safetensors"),
        )
        begin = time.perf_counter(), time.process_time()
        trainer.train(
            model=model,
            optimizer=mlx.optimizers.Adam(learning_rate=RATE),
            train_dataset=dataset,
            args=arguments,
            training_callback=Callback(),
        )
        return result(options, begin, found["loss"])


def result(options: argparse.Namespace, begin: tuple[float, float], loss: float) -> dict[str, float]:
    """Rates since `begin`; on a busy machine that by the processor's time is the steadier one."""
    wall, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
    import mlx.core as mx

    rows = options.steps * options.batch
    return {
        "rows_per_s": rows / wall,
        "rows_per_cpu_s": rows / cpu,
        "peak_gb": mx.get_peak_memory() / 1e9,
        "loss": loss,
    }


_TRAINERS = {"punie": punie, "mlx_lm": mlx_lm}

if __name__ == "__main__":
    main()
