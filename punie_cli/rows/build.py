"""`punie data build --phase N`: generate the rows of a phase and split them into files."""

import difflib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from punie_cli.errors import UsageError
from punie_cli.evaluation import suites
from punie_cli.models.building import write_json
from punie_cli.paths import data_dir, shipped
from punie_cli.rows.generate import direct_groups, generate
from punie_cli.rows.intents import groups
from punie_cli.rows.row import Row, data_hash, dump_rows, read_rows
from punie_cli.rows.shares import shares
from punie_cli.rows.split import Split, split_rows
from punie_cli.training.phase import Phase, load_phase

SIDES = ("train", "valid", "test")
# What rows record comes from these.
TOOLS = ("ty", "ruff", "pytest")


@dataclass(frozen=True)
class Built:
    """What was built and where: rows per side and per group, and shares of what they teach (see `shares`)."""

    folder: Path
    sides: dict[str, int]
    groups: dict[str, int]
    shares: dict[str, float]
    data_hash: str


def held_out() -> list[str]:
    """Prompts of all turns of the shipped suites: no row may ask them."""
    return suites.held_out()


async def build(
    phase: Phase, out: Path | None = None, note: Callable[[int, int], None] = lambda done, of: None
) -> Built:
    """Generate, split and write `train.jsonl`, `valid.jsonl`, `test.jsonl` and `manifest.json`.

    Into `out`, or the folder of the phase below punie's data. Raises UsageError if there are too few different rows,
    for an unknown group, and for phases that include each other.
    """
    recipes = _recipes(phase)
    total = sum(sum(recipe.rows.groups.values()) for recipe in recipes)
    rows: list[Row] = []
    for recipe in recipes:
        before = len(rows)
        made = await generate(
            recipe.rows.groups,
            recipe.rows.seed,
            held_out(),
            lambda done, _, b=before: note(b + done, total),
            rows,
            suites.held_out_names(),
        )
        _check_counts(made, recipe.rows.groups)
        rows += made
    split = split_rows(rows, phase.rows.split)
    folder = out or built_folder(phase)
    folder.mkdir(parents=True, exist_ok=True)
    for side, chosen in split.sides().items():
        _write(folder / f"{side}.jsonl", dump_rows(chosen))
    digest = data_hash(split.train)
    sides = {side: len(chosen) for side, chosen in split.sides().items()}
    by_group = dict(sorted(Counter(row.source for row in rows).items()))
    found = {name: round(share, 4) for name, share in shares(rows).items()}
    manifest = {
        "phase": phase.number, "seed": phase.rows.seed, "groups": by_group, "sides": sides, "shares": found,
        "data_hash": digest, **{tool: version(tool) for tool in TOOLS},
    }  # fmt: skip
    write_json(folder / "manifest.json", manifest)
    return Built(folder, sides, by_group, found, digest)


def _recipes(phase: Phase, inside: tuple[int, ...] = ()) -> list[Phase]:
    """The phases whose rows a phase has, in the order in which they are made; each once, the phase itself last."""
    if phase.number in inside:
        circle = " → ".join(map(str, [*inside, phase.number]))
        raise UsageError(f"phases include each other: {circle}", "take one out of rows.include")
    found: list[Phase] = []
    for number in phase.rows.include:
        for recipe in _recipes(load_phase(number), (*inside, phase.number)):
            if recipe.number not in [other.number for other in found]:
                found.append(recipe)
    known = [*groups(), *direct_groups()]
    for group in phase.rows.groups:
        if group not in known:
            near = difflib.get_close_matches(group, known, 1)
            raise UsageError(
                f"there is no group of rows {group!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
                f"rows.groups knows: {', '.join(sorted(known))}",
            )
    return [*found, phase]


def _check_counts(rows: Sequence[Row], wanted: dict[str, int]) -> None:
    made = Counter(row.source for row in rows)
    for group, number in wanted.items():
        if made[group] < number:
            raise UsageError(
                f"group {group!r} has {made[group]} different rows, not {number}", "lower it in rows.groups"
            )


def built_folder(phase: Phase) -> Path:
    """Where `punie data build` puts the rows of a phase."""
    return data_dir() / "rows" / str(phase.number)


def find_rows(phase: Phase) -> Path:
    """The user's own rows of a phase if they built some, else those that ship.

    A phase that only includes another one has that one's rows.
    """
    own, ours = built_folder(phase), shipped("rows", f"phase-{phase.number}")
    if (own / "manifest.json").is_file():
        return own
    if not ours.is_dir() and len(phase.rows.include) == 1 and not phase.rows.groups:
        return find_rows(load_phase(phase.rows.include[0]))
    return ours


def read_split(folder: Path) -> Split:
    """The rows of a folder. Raises MissingError if it has none."""
    sides: dict[str, list[Row]] = {side: list(read_rows(folder / f"{side}.jsonl")) for side in SIDES}
    return Split(**sides)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
