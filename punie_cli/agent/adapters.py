"""The adapters on this machine: those that training made, and those that ship."""

from dataclasses import dataclass
from pathlib import Path

from punie_cli import paths
from punie_cli.errors import MissingError
from punie_cli.models.files import read_record, weight_hash


@dataclass(frozen=True)
class AdapterInfo:
    """One adapter; `base` and `base_hash` name the model that it was trained on, empty where it does not say."""

    name: str
    folder: Path
    phase: int | None
    base: str
    base_hash: str


def adapters() -> list[AdapterInfo]:
    """All adapters by name, those that ship last; reads no weights."""
    own = sorted((paths.data_dir() / "adapters").glob("[!.]*"))
    shipped = sorted(paths.shipped_adapters().glob("[!._]*"))
    return [_info(folder) for folder in (*own, *shipped) if (folder / "adapter_config.json").is_file()]


def of_phase(phase: int, model: str, folder: Path) -> AdapterInfo:
    """The adapter that a phase made for the model in `folder`. Raises MissingError, which says where there is one."""
    found = [info for info in adapters() if info.phase == phase]
    weights = weight_hash(folder) if found else ""
    fitting = [info for info in found if info.base_hash in ("", weights)]
    if fitting:
        # `phase-24` is the newest result; copies that were put in use have longer names.
        return fitting[0]
    if found:
        bases = ", ".join(sorted({info.base or info.name for info in found}))
        raise MissingError(f"phase {phase} has no adapter on model {model}, but on {bases}", f"/model {found[0].base}")
    raise MissingError(f"phase {phase} has no adapter here", f"punie train --phase {phase}")


def _info(folder: Path) -> AdapterInfo:
    record = read_record(folder)
    base = record.get("base") or {}
    phase = record.get("phase")
    number = phase if isinstance(phase, int) else None
    return AdapterInfo(folder.name, folder, number, base.get("name") or "", base.get("hash") or "")
