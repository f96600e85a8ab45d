"""What it costs to run a ten-line program: python benchmarks/sandbox_cost.py [OTHER_PYTHON] [--runs 50]

Medians in milliseconds, all in one run and interleaved, so that a busy machine slows all alike: a step in a turn's warm
worker, a fresh locked worker (fork, lockdown, program, end), and a fresh Python process without any sandbox. With
OTHER_PYTHON (see sandbox_corpus.py) also smolagents and monty, each with its executor or pool already there. A round
has each five times in a row; "first" is the median of the first of them, which finds no cache of the processor warm.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.sandbox_corpus import Others
from punie_cli.builtins.registry import Registry
from punie_cli.sandbox.host import CallReply, Sandbox, Turn

PROGRAM = """\
words = "the quick brown fox jumps over the lazy dog".split()
counts = {}
for word in words:
    counts[word] = counts.get(word, 0) + 1
longest = max(words, key=len)
pairs = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
total = sum(n for _, n in pairs)
print(longest, total)
for word, n in pairs[:2]:
    print(f"{word}: {n}")
"""
IN_A_ROW = 5
GOALS = {"punie, warm worker": 2.0, "punie, fresh worker": 15.0}


async def no_call(name: str, args: dict[str, Any]) -> CallReply:
    raise AssertionError(f"{name} was called")


async def step(turn: Turn) -> float:
    """Seconds of the program in a worker that is there."""
    start = time.perf_counter()
    output = await turn.run(PROGRAM, no_call)
    assert output.error is None
    return time.perf_counter() - start


async def fresh_worker(sandbox: Sandbox) -> float:
    """Seconds of the program in a worker of its own, with its start and its end."""
    start = time.perf_counter()
    async with await sandbox.turn() as turn:
        await turn.run(PROGRAM, no_call)
    return time.perf_counter() - start


def plain_process() -> float:
    """Seconds of a fresh interpreter that runs the program."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", PROGRAM], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


async def measure(others: Others | None, runs: int) -> dict[str, list[list[float]]]:
    """Seconds by what ran, five in a round; the first round warms up and is left out."""
    found: dict[str, list[list[float]]] = {}
    async with Sandbox(Registry().specs()) as sandbox, await sandbox.turn() as turn:
        for number in range(runs + 1):
            took = {
                "punie, warm worker": [await step(turn) for _ in range(IN_A_ROW)],
                "punie, fresh worker": [await fresh_worker(sandbox) for _ in range(IN_A_ROW)],
                "a fresh Python process": [plain_process() for _ in range(IN_A_ROW)],
            }
            if others is not None:
                took |= others.ask({"cost": PROGRAM, "in_a_row": IN_A_ROW})
            if number:
                for name, seconds in took.items():
                    found.setdefault(name, []).append(seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", nargs="?")
    parser.add_argument("--runs", type=int, default=50)
    options = parser.parse_args()
    others = Others(options.python) if options.python else None
    found = asyncio.run(measure(others, options.runs))
    if others is not None:
        print(f"smolagents {others.versions['smolagents']}, pydantic-monty {others.versions['monty']}")
        others.close()
    print(f"{'':24}{'median ms':>10}{'first':>9}{'lowest':>9}")
    for name, rounds in found.items():
        seconds = [value for values in rounds for value in values]
        first = statistics.median(values[0] for values in rounds)
        goal = f"  (goal: at most {GOALS[name]:g})" if name in GOALS else ""
        figures = (1000 * value for value in (statistics.median(seconds), first, min(seconds)))
        print(f"{name:24}{next(figures):10.2f}{next(figures):9.2f}{next(figures):9.2f}{goal}")


if __name__ == "__main__":
    main()
