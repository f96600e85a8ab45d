"""`punie data stats`: what a set of rows holds, counted in one pass: kinds, lengths, and the shares that teach."""

import ast
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from punie_cli.agent.prompt import Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.rows.files import side_of
from punie_cli.rows.formats import UNRENDERED, Entry
from punie_cli.rows.row import Row
from punie_cli.rows.shares import shares

# Least and most of a share, for the phase of the shipped adapter; None: no bound.
ASKED: dict[str, tuple[float, float | None]] = {
    "direct": (0.30, 0.35),
    "fields": (0.25, None),
    "answered": (0.25, None),
    "failures": (0.05, None),
    "fixes": (0.10, None),
}


@dataclass
class Tokens:
    """Lengths of rows in tokens, by how often each occurs; `core` stands before every row and is counted in each."""

    core: int
    lengths: Counter[int] = field(default_factory=Counter)
    trained: int = 0

    @property
    def total(self) -> int:
        """All tokens, without the core."""
        return sum((length - self.core) * count for length, count in self.lengths.items())

    def percentile(self, share: float) -> int:
        """The length that this share of the rows does not pass (nearest rank)."""
        left = -(-self.lengths.total() * share // 1)
        for length in sorted(self.lengths):
            left -= self.lengths[length]
            if left <= 0:
                return length
        return 0

    def record(self) -> dict[str, Any]:
        """For JSON."""
        points = {f"p{round(share * 100)}": self.percentile(share) for share in (0.5, 0.9, 0.99)}
        return {
            **points,
            "max": max(self.lengths, default=0),
            "core": self.core,
            "total": self.total,
            "trained": self.trained,
            "trained_share": round(self.trained / max(self.total, 1), 4),
        }


@dataclass
class Stats:
    """Counts over rows. `kinds` are those of `shares.shares`; `calls` are rows in which a builtin is called."""

    rows: int = 0
    files: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    sides: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    intents: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    turns: Counter[int] = field(default_factory=Counter)
    tails: int = 0
    unrendered: int = 0
    tokens: Tokens | None = None

    def share(self, kind: str) -> float:
        return self.kinds[kind] / max(self.rows, 1)


def measure(entries: Iterable[Entry], renderer: Renderer | None) -> Stats:
    """Count. Without a renderer there are no tokens; rows that it cannot render are counted in `unrendered`."""
    stats = Stats(tokens=Tokens(len(renderer.core_tokens)) if renderer else None)
    builtins = set(Registry().names)
    for entry in entries:
        row = entry.row
        stats.rows += 1
        stats.files[entry.file] += 1
        stats.forms[entry.form] += 1
        stats.sides[side_of(entry.file)] += 1
        stats.categories[row.source] += 1
        stats.intents[row.intent] += 1
        stats.families[row.family] += 1
        stats.turns[len(row.questions)] += 1
        stats.tails += row.tail is not None
        if entry.form != "text":
            # One row is a whole set for `shares`: its shares are 0 or 1.
            stats.kinds.update({kind: round(share) for kind, share in shares([row]).items()})
        stats.calls.update(builtins & _calls(row))
        if renderer and stats.tokens and not _add_tokens(entry, renderer, stats.tokens):
            stats.unrendered += 1
    return stats


def _add_tokens(entry: Entry, renderer: Renderer, tokens: Tokens) -> bool:
    if entry.form == "text" or not any(m.from_model for m in entry.row.messages):
        return False
    try:
        ids, mask = renderer.row(entry.row.messages, tail=entry.row.tail)
    except UNRENDERED:
        return False
    tokens.lengths[len(ids)] += 1
    tokens.trained += sum(mask)
    return True


def _calls(row: Row) -> set[str]:
    """Names of all functions that the row's programs call."""
    names: set[str] = set()
    for message in row.messages:
        if message.role == "program":
            try:
                tree = ast.parse(message.text)
            except (SyntaxError, ValueError):
                continue
            names |= {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return names
