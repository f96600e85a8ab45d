"""Hashes (SHA-256, hex) of what stages read and write: the same hash means that nothing has to be done again."""

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from punie_cli.errors import PunieError
from punie_cli.evaluation.suites import Suite
from punie_cli.models.files import check_complete, weight_hash
from punie_cli.rows.build import SIDES


def files_hash(paths: Iterable[Path]) -> str | None:
    """Over names and contents; None where a file is missing."""
    digest = hashlib.sha256()
    try:
        for path in sorted(paths):
            data = path.read_bytes()
            digest.update(f"{path.name} {len(data)}\n".encode() + data)
    except OSError:
        return None
    return digest.hexdigest()


def rows_hash(folder: str) -> str | None:
    """The three files of a split."""
    return files_hash(Path(folder) / f"{side}.jsonl" for side in SIDES)


def adapter_hash(folder: str) -> str | None:
    """An adapter with its settings and its record."""
    return files_hash(Path(folder) / name for name in ("adapters.safetensors", "adapter_config.json", "punie.json"))


def model_hash(folder: str) -> str | None:
    """A model's weights; None for one that is not whole."""
    try:
        check_complete(Path(folder))
        return weight_hash(Path(folder))
    except PunieError:
        return None


def suite_hash(suite: Suite) -> str:
    """A suite's cases with their fixtures."""
    return suite.hash


def value_hash(value: Any) -> str:
    """A value as JSON; sets count as sorted lists."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=sorted).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Packages that weights and tokens depend on."""
    return {name: version(name) for name in ("mlx", "mlx-lm", "transformers")}
