"""Train, validation and test rows: by the hash of the question, so that a question is on one side only."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from punie_cli.rows.row import Row


@dataclass(frozen=True)
class Split:
    """Rows on the three sides, each in the order in which they came."""

    train: list[Row]
    valid: list[Row]
    test: list[Row]

    def sides(self) -> dict[str, list[Row]]:
        """The sides by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}


def split_rows(rows: Sequence[Row], percent: tuple[int, int, int]) -> Split:
    """Split in these proportions, with rounding towards train; the same rows always split alike."""
    ranked = sorted(rows, key=_rank)
    whole = sum(percent)
    valid, test = len(rows) * percent[1] // whole, len(rows) * percent[2] // whole
    side = {row.id: "valid" for row in ranked[:valid]} | {row.id: "test" for row in ranked[valid : valid + test]}
    sides: dict[str, list[Row]] = {"train": [], "valid": [], "test": []}
    for row in rows:
        sides[side.get(row.id, "train")].append(row)
    return Split(**sides)


def _rank(row: Row) -> tuple[str, str]:
    # Rows without words in their question would tie.
    return hashlib.sha256("\n".join(row.questions).encode()).hexdigest(), row.id
