"""Rows per second and peak memory of `punie data`, on a small file of rows and on a large one.

    python benchmarks/rows.py [ROWS ...]       # 1000 and 100000 by default; about 20 minutes on two cores

The rows are those of phase 23 over and over, each with a question of its own. Memory is constant if it is the same for
both files but for the table of questions (16 to 48 bytes a row). The last line runs rows in the sandbox instead.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from punie_cli.rows.build import find_rows
from punie_cli.rows.row import dump_rows, read_rows
from punie_cli.training.phase import load_phase

PHASE = 23
COMMANDS = {
    "merge": ["merge", "{rows}", "-o", "{out}"],
    "merge --format tools": ["merge", "{rows}", "--format", "tools", "-o", "{out}"],
    "split": ["split", "{rows}", "--out", "{out}.sides"],
    "stats --no-tokens": ["stats", "{rows}", "--no-tokens"],
    "check --no-run --no-tokens": ["check", "{rows}", "--no-run", "--no-tokens"],
    "check --no-run": ["check", "{rows}", "--no-run", "--phase", str(PHASE)],
    "merge --format text (rendering)": ["merge", "{rows}", "--format", "text", "-o", "{out}"],
}


def write_rows(path: Path, number: int) -> None:
    """So many rows, one at a time."""
    rows = list(read_rows(find_rows(load_phase(PHASE)) / "train.jsonl"))
    with path.open("w", encoding="utf-8") as file:
        for i in range(number):
            row = rows[i % len(rows)]
            first, *rest = row.messages
            first = first.model_copy(update={"text": f"{first.text} (take {i})"})
            family = row.family and f"{row.family}-{i % 997}"
            file.write(dump_rows([row.model_copy(update={"messages": (first, *rest), "family": family})]))


def run(arguments: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MB of one `punie data` process."""
    start = time.perf_counter()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-m", "punie_cli", "data", *arguments], stdout=quiet, stderr=quiet)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # `check` has findings here: exit code 1.
    if process.returncode not in (0, 1):
        raise SystemExit(f"punie data {' '.join(arguments)} exited with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - start, usage.ru_maxrss * unit / 1e6


def execution() -> str:
    """What `check` says about the rows that it ran."""
    command = [sys.executable, "-m", "punie_cli", "data", "check", "--phase", str(PHASE), "--no-tokens", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    ran = json.loads(done.stdout.splitlines()[-1])["run"]
    return f"check, programs run: {ran['rows']} rows, {ran['rows_per_s']} rows/s on {os.cpu_count()} cores"


def main(sizes: list[int]) -> None:
    """One line for each command and size."""
    with tempfile.TemporaryDirectory() as folder:
        for number in sizes:
            path = Path(folder) / f"{number}.jsonl"
            write_rows(path, number)
            for name, template in COMMANDS.items():
                seconds, memory = run([part.format(rows=path, out=f"{folder}/out") for part in template])
                print(f"{name:33}{number:8} rows {number / seconds:8.0f} rows/s {memory:7.0f} MB peak", flush=True)
    print(execution())


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [1000, 100_000])
