"""How soon a lost worker of the sandbox is replaced: python benchmarks/sandbox_replace.py [--runs 30]

For each way to lose one: milliseconds from its end (killed from outside; stopped at the limit on wall time because it
hung, or for flooding the output) until the next program of the same turn has printed. The goal is 100 ms, on a machine
that is idle.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from punie_cli.builtins.registry import Registry
from punie_cli.sandbox.host import CallReply, Limits, Sandbox, Turn

GOAL_MS = 100


async def lose(turn: Turn, how: str) -> float:
    """Run a program that loses its worker, then one that prints; the seconds between the two ends."""

    killed_at = 0.0

    async def call(name: str, args: dict[str, Any]) -> CallReply:
        nonlocal killed_at
        assert turn._pid is not None
        killed_at = time.perf_counter()
        os.kill(turn._pid, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        return {"ok": None}

    program = "while True: print('x' * 5000)" if how == "flooding" else "typecheck()"
    lost = await turn.run(program, call)
    assert lost.killed
    start = killed_at if how == "killed" else time.perf_counter()
    output = await turn.run("print(6 * 7)", call)
    assert output.text == "42\n"
    return time.perf_counter() - start


async def measure(runs: int) -> dict[str, list[float]]:
    """Seconds by how the worker was lost."""
    found: dict[str, list[float]] = {}
    async with Sandbox(Registry().specs(), Limits(wall_s=1)) as sandbox, await sandbox.turn() as turn:
        for number in range(runs + 1):
            for how in ("killed", "hung", "flooding"):
                seconds = await lose(turn, how)
                if number:
                    found.setdefault(how, []).append(seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=30)
    found = asyncio.run(measure(parser.parse_args().runs))
    print(f"{'worker':12}{'median ms':>10}{'lowest':>9}{'highest':>9}")
    for name, seconds in found.items():
        middle, low, high = (1000 * f(seconds) for f in (statistics.median, min, max))
        print(f"{name:12}{middle:10.2f}{low:9.2f}{high:9.2f}  (goal: at most {GOAL_MS})")


if __name__ == "__main__":
    main()
