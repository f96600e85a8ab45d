"""Two adapters on the same held-back rows, played and compared by their effects, row by row:

    python benchmarks/probe.py ADAPTER OTHER [--phase 24] [--rows 40] [--four]

ADAPTER is a name or a folder; `none` is the base alone. The rows are the first of the phase's test side, which neither
training nor the choice of a checkpoint has read. --four keeps those whose programs use no more than typecheck,
read_file, write_file and run_command: an adapter of phase 23 knows no others.
"""

import argparse
import asyncio
import re
import sys
from math import comb

from punie_cli.errors import PunieError
from punie_cli.evaluation.measure import Measured, Tried, measure
from punie_cli.paths import shipped
from punie_cli.rows.build import read_split
from punie_cli.rows.row import Row
from punie_cli.settings import load as load_settings

_NEWER = re.compile(r"\b(lint|test)\(")


def chosen(phase: int, count: int, four: bool) -> list[Row]:
    rows = read_split(shipped("rows", f"phase-{phase}")).test
    if four:
        rows = [row for row in rows if not any(_NEWER.search(m.text) for m in row.messages if m.role == "program")]
    return rows[:count]


def show(tried: Tried) -> None:
    print(f"{'pass' if tried.passed else 'FAIL'}  {tried.name:44.44} {tried.reason}", flush=True)


def sign_test(better: int, worse: int) -> float:
    """Two-sided probability of so uneven a count if both were alike."""
    n, most = better + worse, max(better, worse)
    return min(1.0, 2 * sum(comb(n, k) for k in range(most, n + 1)) / 2**n) if n else 1.0


def run(adapter: str, rows: list[Row], model: str | None) -> Measured:
    print(f"\n{adapter}")
    return asyncio.run(measure(load_settings({"model": model, "adapter": adapter}), None, rows, note=show))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("adapters", nargs=2, metavar="ADAPTER")
    parser.add_argument("--model")
    parser.add_argument("--phase", type=int, default=24)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--four", action="store_true")
    options = parser.parse_args()
    rows = chosen(options.phase, options.rows, options.four)
    try:
        first, second = (run(adapter, rows, options.model) for adapter in options.adapters)
    except PunieError as error:
        sys.exit(f"{error.message}\n{error.hint or ''}".rstrip())
    print()
    verdicts = []
    for adapter, result in zip(options.adapters, (first, second), strict=True):
        assert result.probe is not None
        low, high = result.probe.interval
        print(f"{result.passed} of {result.n} = {result.share:.0%} ({low:.0%} to {high:.0%})  {adapter}")
        verdicts.append({verdict.row: verdict.passed for verdict in result.probe.verdicts})
    pairs = [(verdicts[0][row], verdicts[1][row]) for row in verdicts[0].keys() & verdicts[1].keys()]
    better, worse = pairs.count((True, False)), pairs.count((False, True))
    print(f"only the first {better}, only the second {worse}; sign test p = {sign_test(better, worse):.2f}")


if __name__ == "__main__":
    main()
