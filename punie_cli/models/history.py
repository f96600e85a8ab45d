"""The file that says what is in use, what was before, and what was rejected. It is written whole or not at all.

    in_use.json      below punie's data

`models/store.py` and `training/putting.py` change it, each change under its lock.
"""

import contextlib
import json
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from punie_cli import paths
from punie_cli.errors import BusyError, MissingError, UsageError
from punie_cli.models import embedded
from punie_cli.models.building import locked, write_json

# A change takes milliseconds; only a stopped process holds the lock for longer.
_LOCK_S = 10.0
_BEFORE = 50
_REJECTED = 20


class Entry(BaseModel):
    """A model with an adapter, that was put in use or rejected. Hashes are SHA-256, hex; None where nothing was judged.

    An adapter that is None is the one that ships for the model. `judged` are the figures of the gate as
    `training/gate.py` made them, `missed` what was below it; with `forced` it is in use all the same.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    adapter: str | None = None
    since: str = ""
    """Time in UTC, ISO 8601; empty for what was never chosen."""
    how: str = ""
    """The command."""
    phase: int | None = None
    weights: str | None = None
    adapter_hash: str | None = None
    judged: dict[str, Any] = {}
    missed: tuple[str, ...] = ()
    forced: bool = False

    @property
    def label(self) -> str:
        """A short name, as evaluations have it: `smollm2-135m + phase-24`."""
        if self.adapter in (None, "none"):
            return self.model
        shipped = self.adapter == self.model and self.phase is not None
        return f"{self.model} + {f'phase-{self.phase}' if shipped else self.adapter}"

    def same(self, other: "Entry") -> bool:
        """Whether both mean the same model and adapter: by hash where both were judged, else by name."""
        if self.weights and other.weights:
            return self.hashes == other.hashes
        # The adapter that ships for a model has the model's name.
        return (self.model, self.adapter or self.model) == (other.model, other.adapter or other.model)

    @property
    def hashes(self) -> tuple[str | None, str | None]:
        """Of the weights, and of the adapter."""
        return self.weights, self.adapter_hash


DEFAULT = Entry(model=embedded.NAME)


class History(BaseModel):
    """What is in use now; `before` and `rejected` begin with the newest."""

    model_config = ConfigDict(frozen=True)

    now: Entry = DEFAULT
    before: tuple[Entry, ...] = ()
    rejected: tuple[Entry, ...] = ()


def time_now() -> str:
    """The time in UTC, as entries have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def in_use_file() -> Path:
    """Where it is kept; without a file the embedded model is in use."""
    return paths.data_dir() / "in_use.json"


def read() -> History:
    """What the file says. Raises UsageError where it is damaged."""
    path = in_use_file()
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return History()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}", f"remove {path}") from error
    if not isinstance(kept, dict) or not isinstance(kept.get("model"), str):
        raise UsageError(f"{path} names no model", f"remove {path}")
    # Punie 0.1.0 kept one step back.
    before = kept.pop("before", None) or ([kept["previous"]] if kept.get("previous") else [])
    try:
        return History.model_validate({"now": kept, "before": before, "rejected": kept.pop("rejected", [])})
    except ValidationError as error:
        raise UsageError(f"{path} is damaged: {error.errors()[0]['msg']}", f"remove {path}") from error


def put(entry: Entry, *, expected: Entry | None = None) -> History:
    """Put in use; what was in use is then the newest of `before`. The same again changes only what is noted about it.

    Raises BusyError if something else than `expected` has been put in use meanwhile.
    """
    with _changing() as history:
        if expected is not None and not history.now.same(expected):
            raise BusyError(f"{history.now.label} was put in use meanwhile, after {expected.label} was", "punie use")
        before = history.before if history.now.same(entry) else (history.now, *history.before)
        rejected = tuple(each for each in history.rejected if not each.same(entry))
        return _write(History(now=entry, before=before[:_BEFORE], rejected=rejected))


def back(exists: Callable[[Entry], bool]) -> tuple[History, tuple[Entry, ...]]:
    """Put in use what was before, and forget what is; also returns what was passed over because it is gone.

    Raises MissingError where nothing was before that is still there.
    """
    with _changing() as history:
        for n, entry in enumerate(history.before):
            if exists(entry):
                made = History(now=entry, before=history.before[n + 1 :], rejected=history.rejected)
                return _write(made), history.before[:n]
        gone = f": {', '.join(each.label for each in history.before)} is gone" if history.before else ""
        raise MissingError(f"nothing was in use before {history.now.label}{gone}", "punie use")


def reject(entry: Entry) -> History:
    """Keep an entry as rejected; the same again takes the place of the older one."""
    with _changing() as history:
        others = [each for each in history.rejected if not each.same(entry)]
        return _write(history.model_copy(update={"rejected": (entry, *others)[:_REJECTED]}))


def forget(model: str) -> None:
    """A model is gone: if it was in use, the embedded one is now."""
    with _changing() as history:
        if history.now.model == model and history.now != DEFAULT:
            _write(history.model_copy(update={"now": DEFAULT}))


@contextlib.contextmanager
def _changing() -> Generator[History]:
    with locked(in_use_file(), _LOCK_S):
        yield read()


def _write(history: History) -> History:
    # The entry in use is at the top, where punie 0.1.0 looks for it.
    told = {"before": history.before, "rejected": history.rejected}
    lists = {name: [_plain(entry) for entry in entries] for name, entries in told.items()}
    write_json(in_use_file(), _plain(history.now) | lists)
    return history


def _plain(entry: Entry) -> dict[str, Any]:
    return {"model": entry.model, "adapter": entry.adapter} | entry.model_dump(mode="json", exclude_defaults=True)
