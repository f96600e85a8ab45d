"""The store of models, and which one is in use.

punie models list
punie models use NAME
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from punie_cli import paths
from punie_cli.errors import MissingError, UsageError
from punie_cli.models import embedded, history
from punie_cli.models.building import Progress, locked, store_folder, sweep
from punie_cli.models.files import check_complete, folder_size, read_config, read_record, weight_hash

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ALIASES = {"embedded": embedded.NAME}


@dataclass(frozen=True)
class ModelInfo:
    """One line of the list of models; `source` is embedded, hub, local, fused or quantized."""

    name: str
    path: Path
    source: str
    size_gb: float
    in_use: bool


@dataclass(frozen=True)
class InUse:
    """The model, and the adapter on it, that commands use when none is named.

    `lost` says what was chosen and is gone; the embedded model is in use then.
    """

    model: str
    adapter: str | None = None
    lost: str = ""


@dataclass(frozen=True)
class ModelCard:
    """What `punie models show` says; `context` is in tokens, `bits` are per weight with scales included."""

    name: str
    path: Path
    source: str
    origin: str
    revision: str
    licence: str
    architecture: str
    layers: int
    parameters: int
    bits: float
    context: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Removed:
    """A removed model: its size, and the bytes that became free (a hub cache may keep the same files)."""

    name: str
    size: int
    freed: int


def find(name: str | None = None) -> Path:
    """The folder of a model: None is the one in use, else a name in the store, a hub id or a local directory.

    A local directory starts with `./`, `../`, `/` or `~`, so that a folder of a project never shadows a name.
    Raises MissingError when it is not there; does not check that it is complete.
    """
    if name is None:
        name = in_use().model
    if _is_local(name):
        folder = Path(name).expanduser().resolve()
        if folder.is_dir():
            return folder
        raise MissingError(f"no model directory {folder}", "punie models list")
    return _in_store(name)


def new_folder(name: str) -> Path:
    """Where a model of this name is to be written: in the store, or the local directory that it is.

    Raises UsageError for a name that the store cannot have.
    """
    if _is_local(name):
        return Path(name).expanduser().resolve()
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a model", "letters, digits, '.', '_' and '-'; a folder begins with ./"
        )
    return store_folder() / name


def name_of(folder: Path) -> str:
    """The name of a folder that `find` gave: its name in the store, else its path."""
    return folder.name if folder.parent == store_folder() else str(folder)


def list_models() -> list[ModelInfo]:
    """All models of the store by name, and the local directory in use if it is one."""
    used = in_use().model
    models = [
        ModelInfo(path.name, path, read_record(path)["source"], folder_size(path) / 1e9, path.name == used)
        for path in _folders()
    ]
    if _is_local(used) and Path(used).is_dir():
        models.append(ModelInfo(used, Path(used), "local", folder_size(Path(used)) / 1e9, True))
    return models


def show(name: str | None = None) -> ModelCard:
    """Everything about one model; hashes its weights the first time. MissingError when it is damaged."""
    folder = find(name)
    weights = check_complete(folder)
    config, record = read_config(folder), read_record(folder)
    text = config.get("text_config") or config
    return ModelCard(
        name=name_of(folder),
        path=folder,
        source=record["source"],
        origin=record.get("origin", ""),
        revision=record.get("revision", ""),
        licence=record.get("licence") or _licence(folder),
        architecture=config["model_type"],
        layers=text.get("num_hidden_layers", 0),
        parameters=weights.parameters,
        bits=weights.bits,
        context=text.get("max_position_embeddings", 0),
        size=folder_size(folder),
        sha256=weight_hash(folder),
    )


def pull(name: str, *, force: bool = False, progress: Progress = lambda step: None) -> Path:
    """Fetch `embedded` or a hub repository such as mlx-community/Qwen3-8B-4bit into the store."""
    if _ALIASES.get(name, name) == embedded.NAME:
        return embedded.pull_embedded(force=force, progress=progress)
    from punie_cli.models import hub

    known = store_folder() / name
    if force and _NAME.fullmatch(name) and known.is_dir():
        # The hint of a damaged model gives its name in the store.
        name = read_record(known).get("origin", name)
    return hub.pull(name, force=force, progress=progress)


def use(name: str, adapter: str | None = None) -> InUse:
    """Put a complete model, and an adapter or none, in use; `previous` then gives what was in use before."""
    folder = find(name)
    check_complete(folder)
    how = f"punie models use {name}" + (f" --adapter {adapter}" if adapter else "")
    made = history.put(history.Entry(model=name_of(folder), adapter=adapter, since=history.time_now(), how=how))
    return InUse(made.now.model, made.now.adapter)


def in_use() -> InUse:
    """The model in use: the embedded one until one was chosen, and where that is gone. UsageError for a bad file."""
    entry = history.read().now
    gone = missing(entry)
    # Without it the embedded model is not lost: it was never fetched.
    if gone and (entry.model, entry.adapter) != (embedded.NAME, None):
        return InUse(embedded.NAME, None, f"{entry.label} was in use, and {gone} is gone: the embedded model is used")
    return InUse(entry.model, entry.adapter)


def previous() -> InUse | None:
    """What was in use before the last `use`."""
    before = history.read().before
    return InUse(before[0].model, before[0].adapter) if before else None


def missing(entry: history.Entry) -> str:
    """What of an entry is not there, the model or the adapter; empty if both are."""
    if _is_local(entry.model):
        there = Path(entry.model).is_dir()
    else:
        there = bool(_NAME.fullmatch(entry.model)) and (store_folder() / entry.model).is_dir()
    if not there:
        return f"model {entry.model}"
    if entry.adapter in (None, "none"):
        return ""
    folder = adapter_folder(entry.adapter)
    return "" if folder and folder.is_dir() else f"adapter {entry.adapter}"


def adapter_folder(name: str) -> Path | None:
    """The folder that an adapter's name means: a local one, one that ships, or one below the data folder."""
    if _is_local(name):
        return Path(name).expanduser().absolute()
    folders = (paths.shipped_adapters() / name, paths.data_dir() / "adapters" / name)
    return next((folder for folder in folders if folder.is_dir()), None)


def remove(name: str, *, force: bool = False) -> Removed:
    """Delete a model of the store; never anything outside it. The one in use needs `force`."""
    if _is_local(name):
        raise UsageError(f"{name} is not in the store, so it is not removed", "punie models list")
    folder = _in_store(name)
    if in_use().model == folder.name and not force:
        raise UsageError(f"model {folder.name} is in use", f"punie models remove {folder.name} --force")
    with locked(folder):
        size = folder_size(folder)
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        freed = sum(path.stat().st_size for path in files if path.stat().st_nlink == 1)
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)
        sweep(folder)
    history.forget(folder.name)
    return Removed(folder.name, size, freed)


def _in_store(name: str) -> Path:
    name = _ALIASES.get(name, name)
    if _NAME.fullmatch(name) and (store_folder() / name).is_dir():
        return store_folder() / name
    models = _folders()
    for folder in models:
        if read_record(folder).get("origin") == name:
            return folder
    if name == embedded.NAME:
        raise MissingError(f"the embedded model {name} is not here yet", "punie models pull embedded")
    have = ", ".join(path.name for path in models) or "none"
    hint = f"punie models pull {name}" if "/" in name else "punie models list"
    raise MissingError(f"no model '{name}'; in the store: {have}", hint)


def _folders() -> list[Path]:
    found = store_folder().glob("*")
    return sorted(path for path in found if _NAME.fullmatch(path.name) and path.is_dir())


def _is_local(name: str) -> bool:
    return name.startswith(("./", "../", "/", "~")) or name in (".", "..")


def _licence(folder: Path) -> str:
    # The front matter of a model card.
    try:
        card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    found = re.search(r"^license:\s*(\S+)\s*$", card.split("\n---", 1)[0], re.MULTILINE)
    return found[1] if found else "unknown"
