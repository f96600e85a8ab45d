"""What an evaluation asks, named by hashes: the model with its adapter and the prompt core it was trained under."""

import contextlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from punie_cli.agent.open import Choice, choose
from punie_cli.agent.prompt import PromptCore
from punie_cli.builtins.registry import Registry
from punie_cli.evaluation.results import Subject
from punie_cli.models.files import check_complete, read_record, weight_hash
from punie_cli.settings import Settings
from punie_cli.training.fingerprints import adapter_hash
from punie_cli.training.versions import versions as packages


def subject_of(settings: Settings) -> Subject:
    """Who answers under these settings; hashes the weights, in seconds per GB the first time. Imports no mlx.

    `prompt_hash` is None for a model that punie did not train: its core depends on its tokenizer.
    """
    choice = choose(settings)
    adapter = choice.adapter
    return Subject(
        model=choice.name,
        path=str(choice.model),
        weights=weight_hash(choice.model),
        adapter=adapter.name if adapter else None,
        adapter_path=str(adapter) if adapter else None,
        adapter_hash=adapter_hash(str(adapter)) if adapter else None,
        prompt_hash=choice.core.hash if choice.core else None,
        phase=phase_of(choice),
        bits=round(check_complete(choice.model).bits, 3),
    )


def prompt_of(subject: Subject) -> str:
    """What stands for the prompt before a tokenizer is there: the hash of the core, or today's builtins."""
    return subject.prompt_hash or f"builtins {PromptCore.build(Registry(), 'tags').hash}"


def versions() -> dict[str, str]:
    """Versions of punie and of the packages that compute, render and check."""
    found = packages()
    for name in ("ruff", "pytest"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def phase_of(choice: Choice) -> int | None:
    """The phase that the adapter came from, or the adapter that the model was fused with."""
    record = _read(choice.adapter / "punie.json") if choice.adapter else read_record(choice.model)
    lineage = record.get("lineage") or {}
    adapter = lineage.get("adapter") or (lineage.get("of") or {}).get("adapter") or {}
    return record.get("phase", adapter.get("phase"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
