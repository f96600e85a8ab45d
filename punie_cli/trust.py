"""Which folders a person trusts, and with which settings: a folder whose settings change is asked about again."""

import os
from pathlib import Path

from punie_cli import paths, private


def trust_file() -> Path:
    """Where it is kept, by the real path of each folder."""
    return paths.data_dir() / "trust.json"


def decision(root: Path, digest: str) -> bool | None:
    """What was decided about a folder with settings of this hash; None for nothing yet."""
    entry = private.read_json(trust_file()).get(_key(root))
    if not isinstance(entry, dict) or entry.get("settings") != digest:
        return None
    return entry.get("trusted") is True


def decide(root: Path, digest: str, *, trusted: bool) -> None:
    """Keep a decision; it holds while the settings have this hash."""
    private.update_json(trust_file(), lambda kept: kept | {_key(root): {"settings": digest, "trusted": trusted}})


def forget(root: Path) -> bool:
    """Drop what was decided about a folder; whether it was trusted."""
    was: list[bool] = []

    def change(kept: dict[str, object]) -> dict[str, object]:
        entry = kept.pop(_key(root), None)
        was.append(isinstance(entry, dict) and entry.get("trusted") is True)
        return kept

    private.update_json(trust_file(), change)
    return was[-1]


def _key(root: Path) -> str:
    return os.path.realpath(root)
