"""The settings that a project brings along, in `pyproject.toml` and `.punie/config.toml`, and what of them counts.

A project may tighten. Anything else counts only while its folder is trusted with just these settings, and some
things never do: a tool or an environment that lies in the project, and what is allowed without a question.
"""

import hashlib
import json
import os
import shlex
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from punie_cli import confine, trust
from punie_cli.approvals import visible
from punie_cli.errors import UsageError
from punie_cli.settings import Layer, LeftOut, layers, merge

PYPROJECT = "pyproject.toml"
OWN = ".punie/config.toml"
_LIMIT = 1024 * 1024
# What is run or loaded: never a file that lies in the project itself.
_OUTSIDE = ("ty", "ruff", "python", "blas", "notify")


def project_layers(root: Path, note: Callable[[str], None] = lambda text: None) -> list[Layer]:
    """The layers of a project's files, without those that say nothing. Relative paths in them count from the root.

    UsageError for a `.punie/config.toml` that cannot be read. A `pyproject.toml` that cannot be is left out, and
    `note` is told: punie may be what is to mend it.
    """
    real = Path(os.path.realpath(root))
    found = []
    for name in (PYPROJECT, OWN):
        file = real / name
        try:
            content = tomllib.loads(_text(real, name))
            if name == PYPROJECT:
                content = content.get("tool", {}).get("punie", {})
            if not isinstance(content, dict):
                raise ValueError("tool.punie is no table")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            if name == OWN:
                raise UsageError(f"{file} cannot be read: {error}", f"edit {file}") from error
            note(f"{file} cannot be read, so its [tool.punie] does not count: {error}")
            continue
        if content:
            found.append(Layer(str(file), content, real, f"edit {file}", real))
    return found


def digest(layers: Iterable[Layer]) -> str:
    """The hash of all that a project says to punie; a change of anything else in its files does not change it."""
    said = [[layer.origin, layer.values] for layer in layers if layer.project]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=repr).encode()).hexdigest()


def admit(layers: list[Layer], trusted: bool | None = None) -> tuple[list[Layer], tuple[LeftOut, ...]]:
    """The layers with what counts of a project's, and what does not. All values of a project must be valid."""
    project = next(layer.project for layer in layers if layer.project)
    if trusted is None:
        trusted = trust.decision(project, digest(layers)) is True
    admitted: list[Layer] = []
    left_out: list[LeftOut] = []
    for layer in layers:
        if not layer.project:
            admitted.append(layer)
            continue
        # A wrong value is an error also where it would not count.
        wanted, _ = merge([layer])
        weaker, _ = merge(admitted)
        counts = {}
        for name, value in layer.values.items():
            now, new = getattr(weaker, name), getattr(wanted, name)
            never = not _may(name, now, new, layer.project)
            if tightens(name, now, new) or (trusted and not never):
                counts[name] = value
            elif new != now:
                left_out.append(LeftOut(name, layer, curable=not never))
        admitted.append(replace(layer, values=counts))
    return admitted, tuple(left_out)


@dataclass(frozen=True)
class Wish:
    """What the files of a folder would set if it was trusted; `lines` are for a person, escaped."""

    root: Path
    digest: str
    lines: tuple[str, ...]


def wish(root: Path) -> Wish:
    """What a folder wants, whatever was decided about it. UsageError where its files are wrong."""
    found = layers(None, root)
    real = Path(os.path.realpath(root))
    left_out = admit(found, trusted=False)[1] if any(layer.project for layer in found) else ()
    lines = []
    for each in left_out:
        if each.curable:
            file = os.path.relpath(each.layer.origin, real)
            lines.append(visible(f"{each.name} = {each.layer.values[each.name]!r} ({file})").replace("\n", "\\n"))
    return Wish(real, digest(found), tuple(lines))


def undecided(root: Path) -> Wish | None:
    """The wish of a folder that nothing was decided about; None where there is nothing to decide."""
    found = wish(root)
    decided = trust.decision(found.root, found.digest) is not None
    return None if decided or not found.lines else found


def tightens(name: str, now: Any, new: Any) -> bool:
    """Whether a value of a setting allows at most what the present one does."""
    match name:
        case "mode":
            order = ("read-only", "ask", "edits")
            return order.index(new) <= order.index(now)
        case "max_steps" | "max_tokens":
            return new <= now
        case "allow":
            return set(new) <= set(now)
        case "commands":
            return new == "enclosed" or new == now
        case "check_programs":
            return new or not now
        case "agents_md":
            return now or not new
        case _:
            return new == now


def left_out_text(left_out: Iterable[LeftOut]) -> str:
    """What a project wanted and did not get, in one line, with the way to allow it."""
    curable = [each for each in left_out if each.curable]
    never = [each for each in left_out if not each.curable]
    parts = []
    if curable:
        root = curable[0].layer.project
        place = "" if root == Path(os.path.realpath(Path.cwd())) else f" --root {shlex.quote(str(root))}"
        parts.append(f"not applied, because this folder is not trusted: {_named(curable)}; punie config trust{place}")
    if never:
        parts.append(f"never taken from a project: {_named(never)}")
    return "; ".join(parts)


def _named(left_out: Iterable[LeftOut]) -> str:
    by_file: dict[str, list[str]] = {}
    for each in left_out:
        assert each.layer.project is not None
        file = os.path.relpath(each.layer.origin, each.layer.project)
        by_file.setdefault(file, []).append(each.name)
    return ", ".join(f"{' and '.join(names)} of {file}" for file, names in by_file.items())


def _may(name: str, now: Any, new: Any, root: Path) -> bool:
    """Whether a trusted project may set this value."""
    if name == "allow":
        return tightens(name, now, new)
    if name not in _OUTSIDE or new in (None, "none"):
        return True
    if name == "notify":
        try:
            words = shlex.split(new)
        except ValueError:
            return False
        return not any(_lies_in(word, root) for word in words if "/" in word or (root / word).exists())
    return not _lies_in(str(new), root)


def _lies_in(path: str, root: Path) -> bool:
    # As written and as it is: the project may hold a link that leads out.
    try:
        written = os.path.normpath(root / Path(path).expanduser())
    except RuntimeError:
        return True
    return any(Path(place).is_relative_to(root) for place in (written, os.path.realpath(written)))


def _text(root: Path, name: str) -> str:
    """A file of the project, which must be a regular one inside it."""
    if not os.path.lexists(root / name):
        raise FileNotFoundError(name)
    return confine.read_bytes(root, confine.resolve(root, name), _LIMIT).decode("utf-8")
