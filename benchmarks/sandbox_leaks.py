"""1,000 programs in a row and 8 turns at once: python benchmarks/sandbox_leaks.py [--programs 1000] [--turns 8]

The programs of tests/stress.py: honest ones, ones that fail, and ones that kill their worker (time, output, calls),
with a new turn every 25; in one turn after another, then again in turns at once. Nothing may be left: no process, no
descriptor, no temporary file. The growth of the parent's memory is shown. Exits with 1 if something is left or wrong.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.stress import stress


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # What the sandbox writes below it can only be its own.
        tempfile.tempdir = folder
        start, memory = time.monotonic(), psutil.Process().memory_info().rss
        wrong, left = asyncio.run(stress(options.programs, options.turns))
        left += [f"file {path.name}" for path in Path(folder).iterdir()]
        seconds = time.monotonic() - start
        grown = (psutil.Process().memory_info().rss - memory) / 2**20
    print(f"{2 * options.programs} programs, half of them in {options.turns} turns at once: {seconds:.1f} s")
    print(f"wrong: {len(wrong)}, left: {', '.join(left) or 'nothing'}, memory of the parent: {grown:+.1f} MiB")
    for text in wrong[:10]:
        print(text)
    return 1 if wrong or left else 0


if __name__ == "__main__":
    sys.exit(main())
