"""The phases that there are, and how far each has come on this machine."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from punie_cli.agent.open import choose
from punie_cli.errors import PunieError
from punie_cli.rows.build import find_rows
from punie_cli.settings import Settings
from punie_cli.training.folder import runs_dir
from punie_cli.training.phase import Phase, known_phases, load_phase, own_phases, phase_path
from punie_cli.training.recipe import Value, resolve
from punie_cli.training.summary import run_figures


@dataclass(frozen=True)
class PhaseInfo:
    """One line of the list of phases. `rows` are those that are there, None before they are built.

    `run` is the last one, with its best validation loss and the share that its evaluation passed, where there are any.
    """

    number: int
    title: str
    base: str
    rows: int | None
    own: bool
    in_use: bool
    run: str | None = None
    finished: bool = False
    loss: float | None = None
    share: float | None = None
    passed: bool | None = None


@dataclass(frozen=True)
class Difference:
    """A key on which two phases differ; None where one of them does not have it."""

    key: str
    one: Any
    other: Any


def overview() -> list[PhaseInfo]:
    """All phases by number. Raises UsageError for a file of the user's that does not fit."""
    used = phase_in_use()
    return [_info(load_phase(number), used) for number in known_phases()]


def phase_in_use() -> int | None:
    """The phase that the model in use, or the adapter on it, came from; None for none."""
    try:
        choice = choose(Settings())
    except PunieError:
        return None
    record = _read(choice.adapter / "punie.json") if choice.adapter else _read(choice.model / "punie.json")
    lineage = record.get("lineage") or {}
    adapter = lineage.get("adapter") or (lineage.get("of") or {}).get("adapter") or {}
    return record.get("phase", adapter.get("phase"))


def differences(one: int, other: int) -> list[Difference]:
    """Keys on which two phases differ, in the order of the recipe; groups of rows one by one."""
    ours, theirs = _flat(resolve(one).values), _flat(resolve(other).values)
    keys = [*ours, *(key for key in theirs if key not in ours)]
    return [Difference(key, ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)]


def rows_by_group(phase: Phase) -> dict[str, int]:
    """Rows of a phase by category, as its manifest counts them; empty before they are built."""
    return _read(find_rows(phase) / "manifest.json").get("groups", {})


def _info(phase: Phase, used: int | None) -> PhaseInfo:
    sides = _read(find_rows(phase) / "manifest.json").get("sides", {})
    runs = sorted(runs_dir().glob(f"{phase.number}-[0-9][0-9][0-9]"))
    info = PhaseInfo(
        phase.number,
        phase.title,
        ", ".join(phase.bases) or phase.base,
        sum(sides.values()) or None,
        phase_path(phase.number).parent == own_phases(),
        used == phase.number,
    )
    if not runs:
        return info
    run = runs[-1]
    summary, losses = _read(run / "pipeline.json"), run_figures(run)
    return replace(
        info,
        run=run.name,
        finished=(run / "done.json").is_file(),
        loss=summary.get("loss") or losses.get("last_loss"),
        share=summary.get("share"),
        passed=summary.get("passed"),
    )


def _flat(values: tuple[Value, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for value in values:
        if isinstance(value.value, dict):
            found |= {f"{value.key}.{name}": inner for name, inner in value.value.items()}
        else:
            found[value.key] = value.value
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
