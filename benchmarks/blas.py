"""What a BLAS is worth on the CPU backend, for reading a prompt and for writing: both ways in one run, as ratios.

    python benchmarks/blas.py [MODEL DIRECTORY] [TOKENS]

Without arguments: the model in use, 256 tokens read and 16 written. Each way runs in processes of its own, in turn;
best of three.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROUNDS = 3
WRITTEN = 16


def measure(model: Path, tokens: int) -> dict[str, object]:
    """Tokens per second of one prefill, after a short one to warm up, and of decoding; in a process of its own."""
    import time

    from punie_cli.engine.blas import load_blas

    blas = load_blas()
    import mlx.core as mx

    from punie_cli.models.load import load

    network, _, config = load(model)
    ids = mx.array([[index % config["vocab_size"] for index in range(tokens)]])
    mx.eval(network(ids[:, :4]))
    from mlx_lm.models.cache import make_prompt_cache

    cache = make_prompt_cache(network)
    start = time.perf_counter()
    mx.eval(network(ids, cache=cache))
    read = time.perf_counter()
    token = mx.array([[1]])
    for _ in range(WRITTEN):
        token = mx.argmax(network(token, cache=cache)[:, -1:], axis=-1)
        mx.eval(token)
    wrote = time.perf_counter()
    return {"name": blas.name, "prefill": tokens / (read - start), "decode": WRITTEN / (wrote - read)}


def run(model: Path, tokens: int, blas: str | None) -> dict[str, object]:
    """One measurement in a new process; `blas` as in PUNIE_BLAS."""
    environment = {name: value for name, value in os.environ.items() if name != "PUNIE_BLAS"}
    if blas:
        environment["PUNIE_BLAS"] = blas
    command = [sys.executable, __file__, "--child", str(model), str(tokens)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--child"]:
        print(json.dumps(measure(Path(arguments[1]), int(arguments[2]))))
        return
    from punie_cli.models.store import find

    model = find(arguments[0] if arguments else None)
    tokens = int(arguments[1]) if len(arguments) > 1 else 256
    best: dict[str, dict[str, float]] = {}
    # In turn, so that another load on the machine meets both.
    for _ in range(ROUNDS):
        for blas in (None, "none"):
            found = run(model, tokens, blas)
            kept = best.setdefault(str(found["name"]), {"prefill": 0.0, "decode": 0.0})
            for what in kept:
                kept[what] = max(kept[what], float(str(found[what])))
    print(f"{'tok/s':10} {'prefill':>8} {'decode':>8}")
    for name, speeds in best.items():
        print(f"{name:10} {speeds['prefill']:8.1f} {speeds['decode']:8.1f}")
    if len(best) == 2:
        fast, slow = best.values()
        print(f"{'ratio':10} {fast['prefill'] / slow['prefill']:8.1f} {fast['decode'] / slow['decode']:8.1f}")


if __name__ == "__main__":
    main(sys.argv[1:])
