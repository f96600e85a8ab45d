"""How long `punie --help` takes, against the import of the libraries that any such tool needs.

    python benchmarks/startup.py [RUNS]

Both are run in turn, so that a busy machine slows both; the medians and their ratio are printed.
"""

import statistics
import subprocess
import sys
import time

BASE = [sys.executable, "-c", "import click, rich.console"]
HELP = [sys.executable, "-m", "punie_cli", "--help"]
GOAL = 1.5


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(runs: int) -> None:
    """Print medians in milliseconds and the ratio."""
    pairs = [(seconds(BASE), seconds(HELP)) for _ in range(runs + 1)]
    # The first pair warms the disk cache.
    base, shown = (statistics.median(times) for times in zip(*pairs[1:], strict=True))
    print(f"import click, rich.console  {base * 1000:6.1f} ms")
    print(f"punie --help                {shown * 1000:6.1f} ms")
    print(f"ratio                       {shown / base:6.2f}  (goal: at most {GOAL})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
