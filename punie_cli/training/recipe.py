"""The recipe of one run: a phase's file, then `--set` and `--model`; says where each value came from.

punie train --phase 23 --set lora.rank=16 --set train.steps=200 --dry-run
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from punie_cli.errors import UsageError
from punie_cli.training.phase import Phase, make_phase, nearest, phase_path, read_phase


@dataclass(frozen=True)
class Value:
    """One value of a recipe under its dotted key; `source`: the phase's file, `default`, `--set` or `--model`."""

    key: str
    value: Any
    source: str


@dataclass(frozen=True)
class Recipe:
    """A phase as one run uses it, and its values one by one."""

    phase: Phase
    values: tuple[Value, ...]


def resolve(number: int, sets: Sequence[str] = (), model: str | None = None) -> Recipe:
    """A shipped phase with `KEY=VALUE` settings on top and another base `model`, checked like the file itself.

    Raises MissingError for an unknown phase, UsageError for a key that no phase has or a value that does not fit.
    """
    content = read_phase(number)
    path = phase_path(number)
    make_phase(content, str(path))
    sources = dict.fromkeys(_keys(content), path.name)
    _change(content, sources, sets, model)
    phase = make_phase(content, "--set" if sets else str(path))
    return Recipe(phase, tuple(Value(key, value, _source(sources, key)) for key, value in _values(phase)))


def changed(phase: Phase, sets: Sequence[str], model: str | None) -> Phase:
    """Another phase: this one with `KEY=VALUE` settings and another base on top. Raises as `resolve` does."""
    content = phase.model_dump(mode="json")
    _change(content, {}, sets, model)
    return make_phase(content, "--set")


def _change(content: dict[str, Any], sources: dict[str, str], sets: Sequence[str], model: str | None) -> None:
    for setting in sets:
        key, value = _parse(setting)
        _put(content, key, value)
        sources[key] = "--set"
        # How long a run is has two names; the later one wins over the file's.
        for name, other in (("train.steps", "train.epochs"), ("train.epochs", "train.steps")):
            if key == name and sources.get(other) != "--set":
                content["train"].pop(other.removeprefix("train."), None)
                sources.pop(other, None)
    if model is not None:
        content["base"] = model
        sources["base"] = "--model"


def _parse(setting: str) -> tuple[str, Any]:
    key, equals, text = setting.partition("=")
    key = key.strip()
    if not equals or not key:
        raise UsageError(f"--set {setting} is not KEY=VALUE", "punie train --phase 23 --set lora.rank=16 --dry-run")
    try:
        return key, tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        # A bare word is text: --set train.method=dora.
        return key, text.strip()


def _put(content: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    table = content
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set: unknown key '{key}'{nearest(key)}")
    table[last] = value


def _keys(content: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in content.items():
        yield f"{above}{name}"
        if isinstance(value, dict):
            yield from _keys(value, f"{above}{name}.")


def _values(model: BaseModel, above: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _values(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _source(sources: dict[str, str], key: str) -> str:
    # A key below a table that is one value (`rows.groups.check`) marks that value.
    below = {source for name, source in sources.items() if name.startswith(f"{key}.")}
    return "--set" if "--set" in below else sources.get(key, "default")
