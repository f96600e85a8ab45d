"""Looks at and changes the configuration files: `punie config`. Comments and order of a file are kept."""

import dataclasses
import os
import tomllib
from pathlib import Path
from typing import Any

from punie_cli import confine, private
from punie_cli.errors import UsageError
from punie_cli.listings import Listing
from punie_cli.projects import OWN
from punie_cli.settings import Layer, Settings, config_file, merge, nearest, resolve


@dataclasses.dataclass(frozen=True)
class Target:
    """A configuration file that can be changed: the user's, or with `project` that folder's `.punie/config.toml`."""

    project: Path | None = None

    @property
    def file(self) -> Path:
        """The file; it need not exist."""
        return config_file() if self.project is None else Path(os.path.realpath(self.project)) / OWN

    def read(self) -> str:
        """Its text, empty where there is none."""
        try:
            return self.file.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.file} cannot be read: {error}", f"edit {self.file}") from error

    def write(self, text: str) -> None:
        """Check the whole text, and replace the file by it. UsageError for what could not be loaded again."""
        try:
            content = tomllib.loads(text)
        except ValueError as error:
            raise UsageError(f"{self.file} would not be TOML: {error}", "punie config edit") from error
        merge([self._layer(content)])
        if self.project is None:
            private.replace(self.file, text)
            return
        # A project may hold a link in this place: never write through it.
        root = Path(os.path.realpath(self.project))
        try:
            confine.replace_bytes(root, confine.resolve(root, OWN), text.encode(), 0o644)
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.file} cannot be written: {error}") from error

    def _layer(self, content: dict[str, Any]) -> Layer:
        base = self.file.parent if self.project is None else Path(os.path.realpath(self.project))
        return Layer(str(self.file), content, base, f"edit {self.file}")


def set_value(target: Target, name: str, text: str) -> Any:
    """Set one value, written as on the command line; returns it as it stands in the file."""
    import tomlkit

    _check_name(name)
    given = Layer("the command line", {name: text}, Path.cwd(), f"punie config set {name} VALUE")
    try:
        settings, _ = merge([given])
    except UsageError as error:
        # The words of a flag would name one that does not exist.
        message = error.message.replace(f"{given.key(name)} in {given.origin}", name)
        raise UsageError(message, given.mend) from error
    value = _to_toml(getattr(settings, name), target.project)
    document = tomlkit.parse(_parsable(target))
    document[name] = value
    target.write(tomlkit.dumps(document))
    return value


def unset(target: Target, name: str) -> bool:
    """Take one value out of the file; False if it was not there."""
    import tomlkit

    document = tomlkit.parse(_parsable(target))
    if name not in document:
        _check_name(name)
        return False
    document.remove(name)
    target.write(tomlkit.dumps(document))
    return True


def template() -> str:
    """What an empty configuration is edited as: every setting, switched off, with its meaning."""
    lines = ["# Settings of punie. A line without its # sets a value.\n"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else _to_toml(field.default, None)
        shown = str(default).lower() if isinstance(default, bool) else repr(default).replace("'", '"')
        lines.append(f"\n# {field.description}\n# {name} = {shown}\n")
    return "".join(lines)


def shown(root: Path | None, *, origin: bool = False) -> Listing:
    """Every setting with its value, and with `origin` the place it comes from."""
    resolved = resolve(None, root)
    rows, items = [], []
    for name in Settings.model_fields:
        value, layer = getattr(resolved.settings, name), resolved.origins.get(name)
        place = "default" if layer is None else layer.origin
        if place == "the environment":
            place = f"the environment, {layer.key(name)}" if layer else place
        plain = _to_toml(value, None)
        text = ", ".join(plain) if isinstance(plain, list) else str(plain).lower() if value in (True, False) else plain
        rows.append((name, "" if text is None else str(text), *([place] if origin else [])))
        items.append({"name": name, "value": plain, "origin": place})
    return Listing(("setting", "value", *(["origin"] if origin else [])), rows, items, "")


def _parsable(target: Target) -> str:
    text = target.read()
    try:
        tomllib.loads(text)
    except ValueError as error:
        raise UsageError(f"{target.file} cannot be read: {error}", "punie config edit") from error
    return text


def _check_name(name: str) -> None:
    if name not in Settings.model_fields:
        near = nearest(name)
        end = f"did you mean {near}?" if near else f"there are: {', '.join(Settings.model_fields)}"
        raise UsageError(f"there is no setting '{name}'; {end}", "punie config show")


def _to_toml(value: Any, project: Path | None) -> Any:
    if isinstance(value, tuple):
        return [_to_toml(each, project) for each in value]
    if isinstance(value, Path):
        value = str(value)
    if project is not None and isinstance(value, str) and Path(value).is_absolute():
        # What lies in the project is found there wherever the project lies.
        root = os.path.realpath(project)
        if Path(value).is_relative_to(root):
            return f"./{Path(value).relative_to(root).as_posix()}"
    return value
