"""`punie data build --phase N`: generate the rows of a phase and split them into files."""

import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from punie_cli.errors import UsageError
from punie_cli.models.building import write_json
from punie_cli.paths import data_dir, shipped
from punie_cli.rows.generate import generate
from punie_cli.rows.row import Row, data_hash, dump_rows, read_rows
from punie_cli.rows.split import Split, split_rows
from punie_cli.training.phase import Phase

SIDES = ("train", "valid", "test")


@dataclass(frozen=True)
class Built:
    """What was built: rows per side and per group, and where."""

    folder: Path
    sides: dict[str, int]
    groups: dict[str, int]
    data_hash: str


def held_out() -> list[str]:
    """Prompts of the shipped suites: no row may ask them."""
    prompts: list[str] = []
    for path in sorted(shipped("suites").glob("*.toml")):
        with path.open("rb") as file:
            prompts += [case["prompt"] for case in tomllib.load(file).get("case", [])]
    return prompts


async def build(
    phase: Phase, out: Path | None = None, note: Callable[[int, int], None] = lambda done, of: None
) -> Built:
    """Generate, split and write `train.jsonl`, `valid.jsonl`, `test.jsonl` and `manifest.json`.

    Into `out`, or the folder of the phase below punie's data. Raises UsageError if there are too few different rows.
    """
    rows = await generate(phase.rows.groups, phase.rows.seed, held_out(), note)
    made = Counter(row.source for row in rows)
    for group, wanted in phase.rows.groups.items():
        if made[group] < wanted:
            raise UsageError(
                f"group {group!r} has {made[group]} different rows, not {wanted}", "lower it in rows.groups"
            )
    split = split_rows(rows, phase.rows.split)
    folder = out or built_folder(phase)
    folder.mkdir(parents=True, exist_ok=True)
    for side, chosen in split.sides().items():
        _write(folder / f"{side}.jsonl", dump_rows(chosen))
    digest = data_hash(split.train)
    sides = {side: len(chosen) for side, chosen in split.sides().items()}
    manifest = {
        "phase": phase.number, "seed": phase.rows.seed, "groups": dict(made), "sides": sides, "data_hash": digest,
        "ty": version("ty"),
    }  # fmt: skip
    write_json(folder / "manifest.json", manifest)
    return Built(folder, sides, dict(made), digest)


def built_folder(phase: Phase) -> Path:
    """Where `punie data build` puts the rows of a phase."""
    return data_dir() / "rows" / str(phase.number)


def find_rows(phase: Phase) -> Path:
    """The user's own rows of a phase if they built some, else those that ship."""
    own = built_folder(phase)
    return own if (own / "manifest.json").is_file() else shipped("rows", f"phase-{phase.number}")


def read_split(folder: Path) -> Split:
    """The rows of a folder. Raises MissingError if it has none."""
    sides: dict[str, list[Row]] = {side: list(read_rows(folder / f"{side}.jsonl")) for side in SIDES}
    return Split(**sides)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
