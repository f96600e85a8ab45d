"""What the rows and the training of a phase are made from, as values that two pipelines can compare."""

import json
import tomllib
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from punie_cli.agent.prompt import PromptCore, dialect_for
from punie_cli.builtins.registry import Registry
from punie_cli.models.files import weight_hash
from punie_cli.paths import shipped
from punie_cli.rows.build import TOOLS, read_split
from punie_cli.rows.row import data_hash
from punie_cli.training.fingerprints import value_hash, versions
from punie_cli.training.phase import Phase, load_phase, make_phase


def rows_inputs(phase: Phase) -> dict[str, Any]:
    """The recipe of a phase's rows, with those of the phases that it includes, and the tools that they recorded."""
    recipes = _recipes(_with_included(phase, load_phase))
    return {"recipe": value_hash(recipes), **{tool: version(tool) for tool in TOOLS}}


def fits(phase: Phase, folder: Path) -> bool:
    """Whether the rows in `folder`, which ship, are those of this recipe: the user may have changed the phase."""
    try:
        ours = _with_included(_shipped_phase(phase.number), _shipped_phase)
    except FileNotFoundError:
        return False
    wanted = _with_included(phase, load_phase)
    counts: Counter[str] = Counter()
    for each in wanted.values():
        counts.update(each.rows.groups)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return _recipes(ours) == _recipes(wanted) and manifest.get("groups") == dict(counts)


def training_inputs(phase: Phase, rows: Path, base: Path) -> dict[str, Any]:
    """What a training of this phase on `rows` and `base` would begin from; loads the tokenizer."""
    from punie_cli.models.load import load_tokenizer

    split = read_split(rows)
    core = PromptCore.build(Registry(phase.builtins), dialect_for(load_tokenizer(base)))
    return {
        "recipe": phase.training_hash,
        "rows": data_hash(split.train),
        "validation": data_hash(split.valid[: phase.train.validation_rows]),
        "prompt": core.hash,
        "base": weight_hash(base),
        "versions": versions(),
    }


def run_inputs(run: Path) -> dict[str, Any]:
    """What a run began from, under the names of `training_inputs`; empty for a folder that is no run."""
    try:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        return {
            "recipe": record["training_hash"],
            "rows": record["data_hash"],
            "validation": record["validation_hash"],
            "prompt": record["prompt_hash"],
            "base": record["base"]["hash"],
            "versions": {name: record["versions"][name] for name in versions()},
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _with_included(phase: Phase, read: Callable[[int], Phase]) -> dict[int, Phase]:
    """The phases that a phase has rows of, itself too, each once."""
    found = {phase.number: phase}
    for number in phase.rows.include:
        if number not in found:
            found |= _with_included(read(number), read) | found
    return found


def _recipes(phases: dict[int, Phase]) -> list[Any]:
    return [phase.model_dump(mode="json", include={"rows", "builtins"}) for _, phase in sorted(phases.items())]


def _shipped_phase(number: int) -> Phase:
    path = shipped("phases", f"{number}.toml")
    return make_phase(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
