"""Suites: cases with a prompt, a fixture project and the effects that must be seen. One TOML file each."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from punie_cli.builtins.registry import declared
from punie_cli.errors import MissingError, UsageError
from punie_cli.paths import shipped


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CallPattern(_Strict):
    """A call that worked: this builtin, these arguments (paths normalised), these whole words in its command."""

    builtin: str
    args: dict[str, Any] = {}
    words: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> "CallPattern":
        if self.builtin not in declared():
            raise ValueError(f"no builtin '{self.builtin}'")
        return self

    def __str__(self) -> str:
        inner = [f"{key}={value!r}" for key, value in self.args.items()]
        return f"{self.builtin}({', '.join([*inner, *self.words])})"


class Expect(_Strict):
    """What must be seen. Everything given must hold; files that are not named must be as before."""

    calls: tuple[CallPattern, ...] = ()
    calls_any: tuple[CallPattern, ...] = ()
    no_calls: bool = False
    answer_all: tuple[str, ...] = ()
    answer_any: tuple[str, ...] = ()
    answer_none: tuple[str, ...] = ()
    number: int | None = None
    lines: tuple[int, ...] = ()
    files: dict[str, str] = {}

    @model_validator(mode="after")
    def _not_empty(self) -> "Expect":
        if not self.model_fields_set:
            raise ValueError("it expects nothing")
        if self.no_calls and (self.calls or self.calls_any):
            raise ValueError("no_calls contradicts calls")
        return self


class Case(_Strict):
    """One prompt. `allow` are the rules that are answered with yes; all other questions get a no."""

    name: str = Field(min_length=1)
    prompt: str = Field(min_length=1)
    allow: frozenset[Literal["write", "run"]] = frozenset()
    expect: Expect


class Suite(_Strict):
    """Cases over one fixture, a folder below `data/fixtures`."""

    name: str
    fixture: str
    case: tuple[Case, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> "Suite":
        names = [case.name for case in self.case]
        if len(names) != len(set(names)):
            raise ValueError("two cases have the same name")
        return self

    @property
    def fixture_folder(self) -> Path:
        """Where the fixture lies; it is copied for each case, never worked in."""
        return shipped("fixtures", self.fixture)


def names() -> list[str]:
    """Suites that ship with punie, sorted."""
    return sorted(path.stem for path in shipped("suites").glob("*.toml"))


def load(name: str | Path) -> Suite:
    """A suite by name, or from a file given as a Path or with the ending `.toml`.

    Raises MissingError for a suite or fixture that is not there, UsageError for a file that does not fit.
    """
    given = isinstance(name, Path) or name.endswith(".toml")
    path = Path(name) if given else shipped("suites", f"{name}.toml")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingError(f"no suite '{name}'; there are: {', '.join(names())}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"suite {path} cannot be read: {error}") from error
    try:
        suite = Suite.model_validate({"name": path.stem} | table)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"suite {path}: {place}: {message}") from error
    if not suite.fixture_folder.is_dir():
        raise MissingError(f"suite {suite.name} needs the fixture '{suite.fixture}', which is not there")
    return suite
