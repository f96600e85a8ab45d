"""Listing and searching of 10,000 sessions: python benchmarks/sessions.py [--sessions N] [--calls N]

The store is made in a temporary folder: half of the sessions in one project, the others in five, each of one to six
turns with a program and an output. Every call opens the store anew, as a command does. Printed are median, p95 and the
slowest call in milliseconds.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from punie_cli import indexing, sessions
from punie_cli.session import to_line
from punie_cli.store import changing, open_store, session_file

_COMMON = (
    "the", "cart", "total", "of", "shop", "file", "line", "error", "test", "value", "price", "order", "item", "tax",
    "list", "name", "path",
)  # fmt: skip
_BUSY = Path("/home/me/project-0")


def make(count: int) -> int:
    """A store of so many sessions; how many records it has."""
    chance = random.Random(7)
    rare = [f"{chance.choice(_COMMON)}_{number:04}" for number in range(5000)]
    records = 0
    with closing(open_store(session_file())) as store, changing(store):
        for number in range(count):
            session = f"{number * 429_497:08x}"
            root = _BUSY if number % 2 else Path(f"/home/me/project-{number % 5 + 1}")
            at = f"2026-01-{number * 28 // count + 1:02}T{number % 24:02}:{number % 60:02}:00.000+00:00"
            turns = chance.randint(1, 6)
            store.execute(
                "INSERT INTO sessions (id, started, command, punie, model, root, title, turns, updated) "
                "VALUES (?, ?, 'chat', '0', 'm', ?, ?, ?, ?)",
                (session, at, str(root), _text(chance, rare, 8), turns, at),
            )
            n = 0
            for turn in range(1, turns + 1):
                for fields in (
                    {"type": "prompt", "text": _text(chance, rare, 12)},
                    {"type": "program", "code": f"print({_text(chance, rare, 15)!r})"},
                    {"type": "output", "text": _text(chance, rare, 80), "error": None, "truncated": False},
                    {"type": "answer", "text": _text(chance, rare, 30), "finish": "stop"},
                ):
                    line = to_line(fields, session, 1)
                    store.execute(
                        "INSERT INTO records VALUES (?, ?, ?, 1, ?, ?)", (session, n, turn, fields["type"], line)
                    )
                    indexing.add_text(store, session, n, json.loads(line))
                    n += 1
            records += n
    return records


def _text(chance: random.Random, rare: list[str], words: int) -> str:
    return " ".join(chance.choice(_COMMON) if chance.random() < 0.8 else chance.choice(rare) for _ in range(words))


def measure(call: Callable[[], list[sessions.Session]], calls: int) -> tuple[float, float, float, int]:
    """Median, p95 and the slowest in milliseconds, and how many sessions the last call gave."""
    found, seconds = [], []
    for _ in range(calls):
        began = time.perf_counter()
        found = call()
        seconds.append((time.perf_counter() - began) * 1000)
    return statistics.median(seconds), sorted(seconds)[int(calls * 0.95) - 1], max(seconds), len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PUNIE_HOME"] = folder
        records = make(options.sessions)
        size = session_file().stat().st_size / 1e6
        print(f"{options.sessions} sessions, {records} records, {size:.0f} MB; {options.calls} calls each, ms")
        small = Path("/home/me/project-3")
        rare = "tax_0017"
        runs: dict[str, Callable[[], list[sessions.Session]]] = {
            "list, a project": lambda: sessions.recent(_BUSY, talks=True),
            "list, all": lambda: sessions.recent(),
            "list, for completion (200)": lambda: sessions.recent(_BUSY, 200, talks=True),
            "list, a project without any": lambda: sessions.recent(Path("/nowhere"), talks=True),
            "find by the start of an id": lambda: sessions.starting("0a3d"),
            "search, a rare word": lambda: sessions.search(rare, _BUSY, talks=True),
            "search, a common word": lambda: sessions.search("cart", _BUSY, talks=True),
            "search, a common word, all": lambda: sessions.search("cart"),
            "search, a start of a word": lambda: sessions.search("ta", small, talks=True),
            "search, two common words": lambda: sessions.search("cart tax", small, talks=True),
            "search, a common word, nowhere": lambda: sessions.search("cart", Path("/nowhere"), talks=True),
            "search, no such word": lambda: sessions.search("zebra", _BUSY),
        }
        print(f"{'':32}{'median':>8}{'p95':>8}{'slowest':>9}{'found':>7}")
        for name, call in runs.items():
            median, p95, slowest, count = measure(call, options.calls)
            print(f"{name:32}{median:8.1f}{p95:8.1f}{slowest:9.1f}{count:7}")


if __name__ == "__main__":
    main()
