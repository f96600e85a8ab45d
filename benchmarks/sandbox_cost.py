"""What it costs to run a ten-line program: python benchmarks/sandbox_cost.py [OTHER_PYTHON] [--runs 50]

Medians in milliseconds, all in one run and interleaved, so that a busy machine slows all alike: a step in a turn's warm
worker, a fresh locked worker (fork, lockdown, program, end), and a fresh Python process without any sandbox. With
OTHER_PYTHON (see sandbox_corpus.py) also smolagents and monty, each with its executor or pool already there.
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
from punie_cli.sandbox.host import CallReply, Sandbox

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
GOALS = {"punie, warm worker": 2.0, "punie, fresh worker": 15.0}


async def no_call(name: str, args: dict[str, Any]) -> CallReply:
    raise AssertionError(f"{name} was called")


def plain_process() -> float:
    """Seconds of a fresh interpreter that runs the program."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", PROGRAM], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


async def measure(others: Others | None, runs: int) -> dict[str, list[float]]:
    """Seconds by what ran; the first round warms up and is left out."""
    found: dict[str, list[float]] = {}
    async with Sandbox(Registry().specs()) as sandbox, await sandbox.turn() as turn:
        for number in range(runs + 1):
            start = time.perf_counter()
            output = await turn.run(PROGRAM, no_call)
            took = {"punie, warm worker": time.perf_counter() - start}
            assert output.error is None
            start = time.perf_counter()
            async with await sandbox.turn() as fresh:
                await fresh.run(PROGRAM, no_call)
            took["punie, fresh worker"] = time.perf_counter() - start
            took["a fresh Python process"] = plain_process()
            if others is not None:
                took |= others.ask({"cost": PROGRAM})
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
    print(f"{'':24}{'median ms':>10}{'lowest':>9}{'highest':>9}")
    for name, seconds in found.items():
        middle, low, high = (1000 * f(seconds) for f in (statistics.median, min, max))
        goal = f"  (goal: at most {GOALS[name]:g})" if name in GOALS else ""
        print(f"{name:24}{middle:10.2f}{low:9.2f}{high:9.2f}{goal}")


if __name__ == "__main__":
    main()
