"""`punie data split FILE`: train, valid and test files, whole families on one side, the same way every time.

Two passes over the file; in between some 60 bytes are kept for each row. Lines are written as they stand, in any form.
"""

import contextlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from punie_cli.errors import PunieError, UsageError
from punie_cli.rows.build import SIDES
from punie_cli.rows.files import keep_apart, writing
from punie_cli.rows.formats import read_entries
from punie_cli.rows.merge import question_key
from punie_cli.rows.row import Row
from punie_cli.rows.seen import fingerprint

Percent = tuple[int, int, int]
Keys = NDArray[np.uint64]
Places = NDArray[np.int64]

# Orders of the families that are tried until the sizes come out exactly.
_TRIES = 64


@dataclass(frozen=True)
class Sides:
    """What a split came to: rows by side, as written and as asked for, and how many families there were."""

    folder: Path
    sides: dict[str, int]
    wanted: dict[str, int]
    families: int


def parse_percent(text: str) -> Percent:
    """`80,10,10`. Raises UsageError for anything but three whole numbers that are 100 in sum."""
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isdecimal()]
    if len(parts) != 3 or len(numbers) != 3 or sum(numbers) != 100:
        raise UsageError(f"{text!r} is not three whole numbers that are 100 in sum", "--percent 80,10,10")
    return numbers[0], numbers[1], numbers[2]


def wanted_sizes(rows: int, percent: Percent) -> Percent:
    """Rows of train, valid and test: rounded down, and the rest is test (or train, where test is to have none)."""
    train, valid = rows * percent[0] // 100, rows * percent[1] // 100
    return (train, valid, rows - train - valid) if percent[2] else (rows - valid, valid, 0)


def marks(row: Row) -> list[int]:
    """Fingerprints of what a row shares a side with: its phrasing families, and its first question."""
    families = [fingerprint(f"family\n{name}") for name in row.family.split("+") if name]
    return [*families, question_key(row)]


def split_file(path: Path, percent: Percent, folder: Path) -> Sides:
    """Write `train.jsonl`, `valid.jsonl`, `test.jsonl` into `folder`, but for sides of 0 percent.

    Raises UsageError for a line that is no row.
    """
    outputs = {side: folder / f"{side}.jsonl" for side, share in zip(SIDES, percent, strict=True) if share}
    keep_apart([path], list(outputs.values()))
    owners, found = array("q"), array("Q")
    rows = 0
    for entry in read_entries(path):
        for mark in marks(entry.row):
            owners.append(rows)
            found.append(mark)
        rows += 1
    if not rows:
        raise UsageError(f"{path} has no rows")
    names, group = joined(np.asarray(owners), np.asarray(found), rows)
    wanted = wanted_sizes(rows, percent)
    side = choose(names, np.bincount(group), wanted)[group]
    made = dict.fromkeys(outputs, 0)
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(writing(out)) for name, out in outputs.items()}
        for number, entry in enumerate(read_entries(path)):
            if number == len(side):
                raise PunieError(f"{path} has grown while it was split")
            name = SIDES[side[number]]
            files[name].write(f"{entry.raw}\n")
            made[name] += 1
        if sum(made.values()) != len(side):
            raise PunieError(f"{path} has shrunk while it was split")
    asked = {name: size for name, size in zip(SIDES, wanted, strict=True) if name in outputs}
    return Sides(folder, made, asked, len(names))


def joined(owners: Places, found: Keys, rows: int) -> tuple[Keys, Places]:
    """Rows that share a mark are one group: names of the groups (their least mark), and for each row its group."""
    parent = array("q", range(rows))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    order = np.argsort(found, kind="stable")
    same = np.flatnonzero(found[order][1:] == found[order][:-1])
    for i in same:
        parent[root(int(owners[order[i + 1]]))] = root(int(owners[order[i]]))
    roots = np.fromiter((root(row) for row in range(rows)), dtype=np.int64, count=rows)
    ids, group = np.unique(roots, return_inverse=True)
    names = np.full(len(ids), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(names, group[owners], found)
    return names, group


def choose(names: Keys, sizes: Places, wanted: Sequence[int]) -> NDArray[np.int8]:
    """The side of each group, 0 to 2, by the hash of its name: valid and test are filled with whole groups.

    Where no order of the groups gives the wanted sizes exactly, the nearest of those tried is taken.
    """
    best, missing = np.zeros(len(names), dtype=np.int8), wanted[1] + wanted[2] + 1
    for attempt in range(_TRIES):
        side, left = _filled(_mixed(names, attempt), sizes, wanted)
        if left < missing:
            best, missing = side, left
        if not missing:
            break
    return best


def _filled(ranks: Keys, sizes: Places, wanted: Sequence[int]) -> tuple[NDArray[np.int8], int]:
    side = np.zeros(len(ranks), dtype=np.int8)
    room = {2: wanted[2], 1: wanted[1]}
    for group in np.argsort(ranks, kind="stable"):
        size = int(sizes[group])
        for name, left in room.items():
            if size <= left:
                side[group] = name
                room[name] -= size
                break
        if not any(room.values()):
            break
    return side, sum(room.values())


def _mixed(names: Keys, attempt: int) -> Keys:
    """Another order of the same names for each attempt (the finalizer of MurmurHash3)."""
    mixed = names ^ np.uint64((attempt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(33))
