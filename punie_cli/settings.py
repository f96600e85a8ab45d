"""What is configured: config.toml of the user, the project's files, PUNIE_* variables, flags. The last one wins.

What a project says is first looked at by `projects.py`: until its folder is trusted it may only tighten.
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from punie_cli import paths
from punie_cli.errors import UsageError

Rule = Literal["write", "run", "read", "network", "outside"]
Mode = Literal["ask", "edits", "read-only"]
MODES: tuple[Mode, ...] = ("ask", "edits", "read-only")
_PREFIX = "PUNIE_"


class Settings(BaseModel):
    """One value for each setting, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(None, description="the model: a name of the store, or a folder (`./`, `/` or `~`)")
    adapter: str | None = Field(None, description="the adapter: a name, a folder (`./`, `/` or `~`), or `none`")
    ty: Path | None = Field(None, description="the ty to run, instead of punie's own")
    ruff: Path | None = Field(None, description="the ruff to run, instead of punie's own")
    python: Path | None = Field(None, description="the environment that ty resolves imports in and tests run in")
    max_steps: int = Field(8, ge=1, le=100, description="replies of the model in one turn")
    max_tokens: int = Field(512, ge=1, le=100_000, description="tokens of one reply")
    allow: tuple[Rule, ...] = Field(
        (),
        description="what is done without asking: `write`, `run`, `read` (files that usually hold secrets), `network` "
        "(commands that need it), `outside` (commands where this machine cannot enclose them)",
    )
    mode: Mode = Field(
        "ask", description="what asks first: `ask`, `edits` (files are written without a question), or `read-only`"
    )
    commands: Literal["enclosed", "open"] = Field(
        "enclosed", description="how commands and tests run: `enclosed` by the operating system, or `open`, as you do"
    )
    suites: tuple[str, ...] = Field(
        (), description="the suites that `punie eval` runs: names, or files that end in .toml"
    )
    check_programs: bool = Field(True, description="whether ty looks at a program of the model before it runs")
    agents_md: bool = Field(True, description="whether AGENTS.md files are read: the user's, the project's")
    blas: str | None = Field(None, description="the BLAS library for MLX on the CPU, or `none`")
    keys: Literal["emacs", "vi"] = Field("emacs", description="the keys of the prompt of `punie chat`")
    color: Literal["auto", "always", "never"] = Field("auto", description="colours in the terminal")
    notify: str | None = Field(
        None, description="a command that is run when a pipeline has ended, with what happened as its last argument"
    )

    @field_validator("allow", "suites", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [word.strip() for word in value.split(",") if word.strip()]
        return tuple(dict.fromkeys(value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Layer:
    """Values from one place; `mend` says how a wrong one is corrected. `project` is the folder whose file it is."""

    origin: str
    values: dict[str, Any]
    base: Path
    mend: str
    project: Path | None = None

    def key(self, name: str) -> str:
        """The name of a setting as it is written in this place."""
        if self.origin == "the environment":
            return _PREFIX + name.upper()
        return f"--{name.replace('_', '-')}" if self.origin == "the command line" else name


@dataclass(frozen=True)
class Resolved:
    """The settings in force, the layer that each value which is no default comes from, and what was left out."""

    settings: Settings
    origins: dict[str, Layer]
    left_out: tuple["LeftOut", ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A value of a project that is not applied; `curable` if it would be once the folder is trusted."""

    name: str
    layer: Layer
    curable: bool


def load(
    flags: Mapping[str, Any] | None = None, root: Path | None = None, note: Callable[[str], None] = lambda text: None
) -> Settings:
    """The settings in force. `flags` are values of the command line; None means that a flag was not given.

    `root` is the folder that is worked in; `note` is told what its files wanted and did not get.
    Raises UsageError that names the place for an unknown key, a wrong value or a file that cannot be read.
    """
    resolved = resolve(flags, root, note)
    if resolved.left_out:
        from punie_cli.projects import left_out_text

        note(left_out_text(resolved.left_out))
    return resolved.settings


def resolve(
    flags: Mapping[str, Any] | None = None, root: Path | None = None, note: Callable[[str], None] = lambda text: None
) -> Resolved:
    """`load` with the origin of each value, and what was left out as data."""
    found = layers(flags, root, note)
    left_out: tuple[LeftOut, ...] = ()
    if any(layer.project for layer in found):
        from punie_cli.projects import admit

        found, left_out = admit(found)
    settings, origins = merge(found)
    return Resolved(settings, origins, left_out)


def merge(found: list[Layer]) -> tuple[Settings, dict[str, Layer]]:
    """The settings of these layers, the weakest first, and where each value comes from. UsageError for a wrong one."""
    merged: dict[str, tuple[Any, Layer]] = {}
    for layer in found:
        for name, value in layer.values.items():
            if name not in Settings.model_fields:
                raise _unknown(name, layer)
            merged[name] = (_placed(name, value, layer), layer)
    try:
        settings = Settings(**{name: value for name, (value, _) in merged.items()})
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        value, layer = merged[name]
        message = f"{layer.key(name)} in {layer.origin} is {value!r}: {_reason(problem)}"
        raise UsageError(message, layer.mend) from error
    return settings, {name: layer for name, (_, layer) in merged.items()}


def layers(
    flags: Mapping[str, Any] | None = None, root: Path | None = None, note: Callable[[str], None] = lambda text: None
) -> list[Layer]:
    """The places that settings come from, the weakest first."""
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    project: list[Layer] = []
    if root is not None:
        from punie_cli.projects import project_layers

        project = project_layers(root, note)
    return [
        user_layer(),
        *project,
        Layer("the environment", _environment(), Path.cwd(), "punie doctor"),
        Layer("the command line", given, Path.cwd(), "punie --help"),
    ]


def user_layer() -> Layer:
    """What config.toml of the user says."""
    file = config_file()
    return Layer(str(file), _read(file), file.parent, f"edit {file}")


def config_file() -> Path:
    """The user's config.toml; it need not exist."""
    return paths.config_dir() / "config.toml"


def is_local(name: str) -> bool:
    """Whether the name of a model or an adapter is a folder: a folder of a project never shadows a name."""
    return name.startswith(("./", "../", "/", "~")) or name in (".", "..")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}", f"edit {file}") from error


def _environment() -> dict[str, str]:
    values = {}
    for variable, value in sorted(os.environ.items()):
        name = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or not value:
            continue
        # Other PUNIE_ variables exist (PUNIE_HOME): only what looks like a misspelt setting is refused.
        if name in Settings.model_fields or nearest(name, cutoff=0.8):
            values[name] = value
    return values


def _placed(name: str, value: Any, layer: Layer) -> Any:
    """Paths in full; a relative one counts from where it is written."""
    if name == "suites" and isinstance(value, str):
        value = [word.strip() for word in value.split(",") if word.strip()]
    if name == "suites" and isinstance(value, list):
        return [_full(name, item, layer) if str(item).endswith(".toml") else item for item in value]
    if not isinstance(value, str) or name not in ("ty", "ruff", "python", "adapter", "model"):
        return value
    if name in ("adapter", "model") and not is_local(value):
        return value
    return _full(name, value, layer)


def _full(name: str, value: str, layer: Layer) -> str:
    try:
        return os.path.normpath(layer.base / Path(value).expanduser())
    except RuntimeError as error:
        message = f"{layer.key(name)} in {layer.origin} is {value!r}: there is no such home folder"
        raise UsageError(message, layer.mend) from error


def _unknown(name: str, layer: Layer) -> UsageError:
    near = nearest(name)
    end = f"did you mean {layer.key(near)}?" if near else f"there are: {', '.join(Settings.model_fields)}"
    return UsageError(f"{layer.origin} has {layer.key(name)}, which is no setting; {end}", layer.mend)


def nearest(name: str, cutoff: float = 0.6) -> str | None:
    """The setting whose name is spelled nearly so."""
    near = difflib.get_close_matches(name, Settings.model_fields, 3, cutoff)
    # `modle` is `model` with two letters changed about, not `mode` with one more.
    return min(near, key=lambda each: sorted(each) != sorted(name), default=None)


def _reason(problem: Any) -> str:
    if problem["type"] == "literal_error":
        return f"it must be {problem['ctx']['expected']}"
    text = problem["msg"]
    return text[:1].lower() + text[1:]
