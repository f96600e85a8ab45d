"""What a phase or a name means that is to be put in use: a model, with an adapter or without one."""

import difflib
import re
import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from punie_cli import paths
from punie_cli.agent.open import adapter_folder, choose
from punie_cli.engine.blas import backend
from punie_cli.errors import BusyError, MissingError, UsageError
from punie_cli.evaluation.results import Subject
from punie_cli.models import store
from punie_cli.models.building import building, locked, store_folder
from punie_cli.models.files import read_record
from punie_cli.settings import Settings, is_local
from punie_cli.training.fingerprints import adapter_hash, model_hash
from punie_cli.training.phase import Phase, known_phases, load_phase

# A copy that was put in use has the first digits of its hash at its end.
_COPY = re.compile(r"-[0-9a-f]{8}")
_DIGITS = 8


@dataclass(frozen=True)
class Candidate:
    """A model, and an adapter or `none`, by the names that settings have for them."""

    model: str
    adapter: str

    def under(self, settings: Settings) -> Settings:
        """These settings for this model and adapter."""
        return settings.model_copy(update={"model": self.model, "adapter": self.adapter})


def find(name: str, on: str | None = None) -> Candidate:
    """The result of a phase, such as `24` or `phase-24`, an adapter, or a model of the store, by name or folder.

    `on` is the backend, by default that of this machine. Raises MissingError that names what is near.
    """
    if name.isdecimal():
        return of_phase(load_phase(int(name)), on)
    if _adapter_there(name):
        return _with_base(name)
    with suppress(MissingError):
        folder = store.find(name)
        model = store.name_of(folder)
        shipped = not is_local(model) and (paths.shipped_adapters() / model).is_dir()
        return Candidate(model, model if shipped else "none")
    if (number := re.fullmatch(r"phase-(\d+)", name)) and int(number[1]) in known_phases():
        return of_phase(load_phase(int(number[1])), on)
    numbers = [str(number) for number in known_phases()]
    models = [model.name for model in store.list_models()]
    known = [*numbers, *(f"phase-{number}" for number in numbers), "previous", *_adapters(), *models]
    near = difflib.get_close_matches(name, list(dict.fromkeys(known)), 3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"phases: {', '.join(numbers)}"
    raise MissingError(f"no phase, adapter or model '{name}'; {hint}", "punie phases list")


def of_phase(phase: Phase, on: str | None = None) -> Candidate:
    """The newest finished result of a phase.

    On the CPU its adapter on the base, which is as fast as anything there; elsewhere the fused or quantized model that
    the recipe ends with, if it was made from this adapter. What ships comes last. Raises MissingError where there is
    none, UsageError for a phase with results on several bases.
    """
    number = phase.number
    names = [name for name in _adapters() if _is_of(name, number) and _phase_of(name) == number]
    if len(names) > 1:
        raise UsageError(f"phase {number} has results on several bases: {', '.join(names)}", f"punie use {names[0]}")
    if names:
        made = next((model for model in _last_models(names[0], phase) if _made_from(model, names[0])), None)
        fast = (on or backend()) in ("metal", "cuda")
        return Candidate(made, "none") if made and fast else _with_base(names[0])
    for model in _last_models(f"phase-{number}", phase):
        if (store_folder() / model).is_dir():
            return Candidate(model, "none")
    for folder in sorted(paths.shipped_adapters().glob("*")):
        if read_record(folder).get("phase") == number:
            return Candidate(folder.name, folder.name)
    raise MissingError(f"phase {number} has no result yet", f"punie train --phase {number} --through eval")


def keep(candidate: Candidate, subject: Subject) -> Candidate:
    """A copy that no later training and no later fuse replaces, named by its hash; what ships or was pulled stays.

    `subject` is what was judged. Raises BusyError where it is another one by now.
    """
    choice = choose(candidate.under(Settings()))
    if choice.adapter is not None:
        if choice.adapter.parent == paths.shipped_adapters():
            return candidate
        assert subject.adapter_hash is not None
        return Candidate(candidate.model, _keep_adapter(choice.adapter, subject.adapter_hash))
    made = read_record(choice.model)["source"] in ("fused", "quantized") and choice.model.parent == store_folder()
    return Candidate(_keep_model(choice.model, subject.weights), "none") if made else candidate


def _keep_adapter(folder: Path, digest: str) -> str:
    name = _copy_name(folder.name, digest)
    target = paths.data_dir() / "adapters" / name
    if adapter_hash(str(target)) == digest:
        return name
    target.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if folder.parent == target.parent:
            stack.enter_context(locked(folder))
        stack.enter_context(locked(target))
        part = stack.enter_context(building(target))
        shutil.copytree(folder, part, dirs_exist_ok=True)
        if adapter_hash(str(part)) != digest:
            raise BusyError(f"adapter {folder.name} was changed while it was judged", f"punie use {folder.name}")
    return name


def _keep_model(folder: Path, digest: str) -> str:
    name = _copy_name(folder.name, digest)
    target = store_folder() / name
    if model_hash(str(target)) == digest:
        return name
    with locked(folder), locked(target), building(target) as part:
        if model_hash(str(folder)) != digest:
            raise BusyError(f"model {folder.name} was changed while it was judged", f"punie use {folder.name}")
        for path in folder.iterdir():
            if path.is_file():
                _link(path, part / path.name)
    return name


def _link(path: Path, target: Path) -> None:
    """The same file under a second name, which takes no room; a copy where the disk cannot do that."""
    try:
        target.hardlink_to(path)
    except OSError:
        shutil.copy2(path, target)


def _copy_name(name: str, digest: str) -> str:
    return f"{name[: -_DIGITS - 1] if _is_copy(name) else name}-{digest[:_DIGITS]}"


def _is_copy(name: str) -> bool:
    return _COPY.fullmatch(name[-_DIGITS - 1 :]) is not None


def _adapters() -> list[str]:
    """Adapters below punie's data, without the copies that were put in use."""
    folders = sorted((paths.data_dir() / "adapters").glob("[!.]*"))
    return [path.name for path in folders if path.is_dir() and not _is_copy(path.name)]


def _adapter_there(name: str) -> bool:
    folder = store.adapter_folder(name)
    shipped = folder is not None and folder.parent == paths.shipped_adapters()
    # What ships has the name of its base: that name means the model.
    return folder is not None and not shipped and (folder / "adapter_config.json").is_file()


def _with_base(adapter: str) -> Candidate:
    """The adapter with the model that it was trained on."""
    folder = adapter_folder(adapter, "")
    base = read_record(folder).get("base") or {}
    if not base.get("name"):
        raise MissingError(f"adapter {adapter} does not say what it was trained on", "punie models use NAME --adapter")
    return Candidate(store.name_of(store.find(base["name"])), str(folder) if is_local(adapter) else adapter)


def _is_of(name: str, number: int) -> bool:
    return name == f"phase-{number}" or name.startswith(f"phase-{number}-")


def _phase_of(adapter: str) -> int | None:
    return read_record(adapter_folder(adapter, "")).get("phase")


def _last_models(adapter: str, phase: Phase) -> list[str]:
    """Names of the models that a pipeline makes from an adapter, the last first."""
    made = [f"{adapter}-fused"] if phase.fuse else []
    if phase.quantize:
        made.insert(0, f"{adapter}-{phase.quantize.bits}bit{'-mixed' if phase.quantize.mixed else ''}")
    return made


def _made_from(model: str, adapter: str) -> bool:
    lineage = read_record(store_folder() / model).get("lineage") or {}
    source = lineage.get("adapter") or (lineage.get("of") or {}).get("adapter") or {}
    return source.get("hash") == adapter_hash(str(adapter_folder(adapter, "")))
