"""Train, validation and test rows: whole phrasing families on one side, exact sizes, the sides alike in their sources.

Rows hang together that share a family or a question. Which sets of rows go to a side is drawn by their hash, with a
quota for each source; a subset sum then makes the size exact.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from punie_cli.errors import UsageError
from punie_cli.rows.row import Row

# So many of the sets that the quota chose, and of the others, may be exchanged to make a size exact.
_EXCHANGED = 64
_OTHERS = 2000


@dataclass(frozen=True)
class Split:
    """Rows on the three sides, each in the order in which they came."""

    train: list[Row]
    valid: list[Row]
    test: list[Row]

    def sides(self) -> dict[str, list[Row]]:
        """The sides by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}


@dataclass(frozen=True)
class _Set:
    """Rows (by place) that must stay together."""

    rank: str
    places: tuple[int, ...]
    sources: Counter[str]

    @property
    def size(self) -> int:
        return len(self.places)


def sizes(number: int, percent: tuple[int, int, int]) -> tuple[int, int, int]:
    """Rows of train, validation and test: the first two rounded down, test is the rest (757 → 605, 75, 77)."""
    whole = sum(percent)
    train, valid = number * percent[0] // whole, number * percent[1] // whole
    return train, valid, number - train - valid


def split_rows(rows: Sequence[Row], percent: tuple[int, int, int]) -> Split:
    """Split in these proportions; the same rows always split alike, whatever their order.

    Every intent keeps a family in train where the sizes allow it. Raises UsageError where families are too large for
    the sizes.
    """
    _, valid, test = sizes(len(rows), percent)
    sets = sorted(_together(rows), key=lambda s: s.rank)
    kept = _one_each(rows, sets)
    left = [s for s in sets if s.rank not in kept] + [s for s in sets if s.rank in kept]
    sides: dict[int, str] = {}
    for name, wanted in (("test", test), ("valid", valid)):
        chosen = _choose(left, wanted, _quota(rows, wanted), name)
        ranks = {s.rank for s in chosen}
        left = [s for s in left if s.rank not in ranks]
        sides |= {place: name for s in chosen for place in s.places}
    split: dict[str, list[Row]] = {"train": [], "valid": [], "test": []}
    for place, row in enumerate(rows):
        split[sides.get(place, "train")].append(row)
    return Split(**split)


def _together(rows: Sequence[Row]) -> list[_Set]:
    """The rows in sets: union-find over families and questions."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    marks = [_marks(row) for row in rows]
    for first, *more in marks:
        for other in more:
            parent[root(other)] = root(first)
    places: dict[str, list[int]] = {}
    for place, (first, *_) in enumerate(marks):
        places.setdefault(root(first), []).append(place)
    return [
        _Set(_hash(m for p in found for m in marks[p]), tuple(found), Counter(rows[p].source for p in found))
        for found in places.values()
    ]


def _marks(row: Row) -> list[str]:
    families = [f"family {name}" for name in row.family.split("+") if name]
    # A row without words in its question stands for itself.
    return families + [f"question {question or row.id}" for question in row.questions] or [row.id]


def _hash(marks: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(set(marks))).encode()).hexdigest()


def _one_each(rows: Sequence[Row], sets: Sequence[_Set]) -> set[str]:
    """Ranks of the sets that stay in train, so that each intent is seen there: the last by hash of each."""
    last: dict[str, str] = {}
    for s in sets:
        for place in s.places:
            last |= dict.fromkeys(rows[place].intent.split("+"), s.rank)
    return set(last.values())


def _quota(rows: Sequence[Row], wanted: int) -> dict[str, int]:
    """Rows of each source in a side of this size, by the largest remainder."""
    counts = Counter(row.source for row in rows)
    exact = {source: wanted * count / len(rows) for source, count in counts.items()}
    quota = {source: int(share) for source, share in exact.items()}
    order = sorted(exact, key=lambda source: (quota[source] - exact[source], source))
    for source in order[: wanted - sum(quota.values())]:
        quota[source] += 1
    return quota


def _choose(sets: Sequence[_Set], wanted: int, quota: dict[str, int], side: str) -> list[_Set]:
    """Sets that come to exactly `wanted` rows; those that fit the quota are preferred."""
    chosen: list[_Set] = []
    room = Counter(quota)
    for s in sets:
        if all(room[source] >= count for source, count in s.sources.items()):
            chosen.append(s)
            room -= s.sources
    ranks = {s.rank for s in chosen}
    fixed = chosen[:-_EXCHANGED]
    pool = chosen[-_EXCHANGED:] + [s for s in sets if s.rank not in ranks][:_OTHERS]
    exact = _subset(pool, wanted - sum(s.size for s in fixed))
    if exact is None:
        raise UsageError(
            f"no phrasing families come to exactly {wanted} rows for {side}", "take more rows, or other proportions"
        )
    return fixed + exact


def _subset(pool: Sequence[_Set], wanted: int) -> list[_Set] | None:
    """A subset of exactly this size that prefers earlier sets; None if there is none."""
    # Bit n of the mask before a set says that the sets from there on can come to n.
    full = (1 << (wanted + 1)) - 1
    reach = [1]
    for s in reversed(pool):
        reach.append((reach[-1] | reach[-1] << s.size) & full)
    reach.reverse()
    if not reach[0] >> wanted & 1:
        return None
    found = []
    for s, after in zip(pool, reach[1:], strict=True):
        if s.size <= wanted and after >> (wanted - s.size) & 1:
            found.append(s)
            wanted -= s.size
    return found
