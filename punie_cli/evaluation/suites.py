"""Suites: cases with their prompts, a fixture project and the effects that must be seen. One TOML file each."""

import difflib
import hashlib
import json
import posixpath
import re
import tomllib
from functools import cache
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from punie_cli.builtins.registry import declared, item_model
from punie_cli.errors import MissingError, UsageError
from punie_cli.evaluation.scratch import CACHES
from punie_cli.paths import shipped


def _path(path: str) -> str:
    if not path or "\\" in path or posixpath.normpath(path) != path or path.startswith(("/", "..")):
        raise ValueError(f"{path!r} is not a path inside the project, such as shop/cart.py")
    return path


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("a text is empty")
    return text


def _fixture(name: str) -> str:
    return name if name == "" or name.startswith("./") else _path(name)


File = Annotated[str, AfterValidator(_path)]
Fixture = Annotated[str, AfterValidator(_fixture)]
Words = Annotated[str, AfterValidator(_text)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CallPattern(_Strict):
    """A call of this builtin with these arguments (paths normalised) and these whole words in its command.

    A call worked if the builtin gave its result, whatever that says: type errors that were found, a command's exit
    code. It failed if it raised, was refused, or the tool behind it could not run.
    """

    builtin: str
    args: dict[str, Any] = {}
    words: tuple[Words, ...] = ()
    worked: bool = True

    @model_validator(mode="after")
    def _known(self) -> "CallPattern":
        if self.builtin not in declared():
            raise ValueError(f"no builtin '{self.builtin}'{_near(self.builtin, declared())}")
        takes = [parameter.name for parameter in declared()[self.builtin].parameters]
        for key in self.args:
            if key not in takes:
                raise ValueError(f"{self.builtin}() has no argument '{key}'; it takes: {', '.join(takes)}")
        if self.words and "command" not in takes:
            raise ValueError(f"words are those of a command, and {self.builtin}() has none")
        return self

    def __str__(self) -> str:
        inner = [f"{key}={value!r}" for key, value in self.args.items()]
        return f"{self.builtin}({', '.join([*inner, *self.words])})"

    def default(self, argument: str) -> Any:
        """What an argument is where a call leaves it out; None for one without a default."""
        found = [p.default for p in declared()[self.builtin].parameters if p.name == argument]
        return found[0] if found and found[0] is not Parameter.empty else None


class Expect(_Strict):
    """What must be seen. Everything given must hold; files that are not named must be as before."""

    calls: tuple[CallPattern, ...] = ()
    ordered: bool = False
    calls_any: tuple[CallPattern, ...] = ()
    calls_none: tuple[CallPattern, ...] = ()
    no_calls: bool = False
    fields: tuple[str, ...] = ()
    answer_all: tuple[Words, ...] = ()
    answer_any: tuple[Words, ...] = ()
    answer_none: tuple[Words, ...] = ()
    number: int | None = None
    lines: tuple[int, ...] = ()
    refuses: bool = False
    files: dict[File, str] = {}
    files_say: dict[File, tuple[Words, ...]] = {}
    files_gone: tuple[File, ...] = ()
    changes: tuple[File, ...] = ()
    typechecks: tuple[File, ...] = ()
    lints: tuple[File, ...] = ()
    tests: tuple[File, ...] = ()

    @field_validator("fields")
    @classmethod
    def _real(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        for name in fields:
            if name not in result_fields():
                raise ValueError(f"no result of a builtin has a field '{name}'{_near(name, result_fields())}")
        return fields

    @model_validator(mode="after")
    def _sensible(self) -> "Expect":
        if not self.model_dump(exclude_defaults=True):
            raise ValueError("it expects nothing")
        if self.no_calls and (self.calls or self.calls_any or self.calls_none or self.fields):
            raise ValueError("no_calls contradicts calls and fields")
        if self.ordered and len(self.calls) < 2:
            raise ValueError("ordered needs two calls or more")
        if any(not pattern.worked for pattern in self.calls_none):
            raise ValueError("calls_none means every try: leave 'worked' out")
        for path in self.files_gone:
            if path in self.files or path in self.files_say:
                raise ValueError(f"{path} is to be gone and to have a content")
        return self


class Case(_Strict):
    """One conversation: a prompt for each turn.

    `allow` are the rules that are answered with yes. Any other question finds nobody there, or with `refused` a person
    who says no. `missing` are tools that count as not installed. `files` are written over the copy of the fixture.
    """

    name: str = Field(min_length=1)
    group: str = ""
    fixture: Fixture = ""
    prompts: tuple[Words, ...] = Field(min_length=1)
    files: dict[File, str] = {}
    allow: frozenset[Literal["write", "run"]] = frozenset()
    refused: bool = False
    missing: frozenset[Literal["ty", "ruff", "pytest"]] = frozenset()
    expect: Expect

    @model_validator(mode="before")
    @classmethod
    def _one_prompt(cls, value: Any) -> Any:
        if isinstance(value, dict) and "prompt" in value:
            if "prompts" in value:
                raise ValueError("it has both prompt and prompts")
            value = {("prompts" if key == "prompt" else key): item for key, item in value.items()}
            if isinstance(value["prompts"], str):
                value["prompts"] = (value["prompts"],)
        return value

    @property
    def fixture_folder(self) -> Path:
        """Where the fixture lies; it is copied for each case, never worked in."""
        # A whole path, which a fixture beside its suite has, stays as it is.
        return shipped("fixtures", self.fixture)


class Suite(_Strict):
    """Cases over fixtures, which are folders below `data/fixtures`; `fixture` is that of cases that name none.

    A name that begins with `./` is a folder beside the suite's file; `load` makes a whole path of it. A sealed suite is
    run seldom: who looks at it often fits to it.
    """

    name: str
    title: str = ""
    sealed: bool = False
    fixture: Fixture = ""
    case: tuple[Case, ...] = Field(min_length=1)

    @field_validator("case")
    @classmethod
    def _with_fixture(cls, cases: tuple[Case, ...], info: Any) -> tuple[Case, ...]:
        default = info.data.get("fixture", "")
        return tuple(case if case.fixture else case.model_copy(update={"fixture": default}) for case in cases)

    @model_validator(mode="after")
    def _distinct(self) -> "Suite":
        seen: set[str] = set()
        for case in self.case:
            if case.name in seen:
                raise ValueError(f"two cases are named '{case.name}'")
            seen.add(case.name)
        return self

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of the cases in their order, without the empty one."""
        return tuple(dict.fromkeys(case.group for case in self.case if case.group))

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of what is asked and wanted: the cases, and the files of their fixtures."""
        folders = {case.fixture: case.fixture_folder for case in self.case}
        # One beside the suite is named by its place in the suite, not by where this machine has it.
        named = {place: f"./{n}" if Path(place).is_absolute() else place for n, place in enumerate(folders)}
        cases = [case.model_dump(exclude_defaults=True) | {"fixture": named[case.fixture]} for case in self.case]
        files = {
            named[place]: {path: data.hex() for path, data in fixture_files(folder).items()}
            for place, folder in folders.items()
        }
        text = json.dumps({"cases": cases, "files": files}, sort_keys=True, default=sorted)
        return hashlib.sha256(text.encode()).hexdigest()


@cache
def result_fields() -> frozenset[str]:
    """Names of the fields of results of builtins, and of the findings in their lists."""
    found: set[str] = set()
    for declaration in declared().values():
        if issubclass(declaration.returns, BaseModel):
            for name, field in declaration.returns.model_fields.items():
                item = item_model(field.annotation)
                found |= {name, *(item.model_fields if item else ())}
    return frozenset(found)


def fixture_files(folder: Path) -> dict[str, bytes]:
    """The files of a fixture by relative path, caches left out."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    relative = ((path, path.relative_to(folder)) for path in paths)
    return {name.as_posix(): path.read_bytes() for path, name in relative if not CACHES.intersection(name.parts)}


def names() -> list[str]:
    """Suites that ship with punie, sorted."""
    return sorted(path.stem for path in shipped("suites").glob("*.toml"))


_DEFINED = re.compile(r"^(?:(?:async )?def|class) (\w+)", re.MULTILINE)


def held_out() -> list[str]:
    """The prompts of all turns of all shipped suites: no row may ask them."""
    return [prompt for name in names() for case in load(name).case for prompt in case.prompts]


def held_out_names() -> frozenset[str]:
    """The projects of the shipped suites, and the modules, functions and classes in them: no row may know them.

    Those of `foundation` are left out: it looks whether punie works, with the words of any shop.
    """
    return frozenset(name for suite in names() if suite != "foundation" for name in names_of(load(suite)))


def names_of(suite: Suite) -> frozenset[str]:
    """The projects of a suite, and the modules, functions and classes in them."""
    found: set[str] = set()
    for folder in {case.fixture_folder for case in suite.case if case.fixture}:
        found.add(folder.name)
        for path in folder.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            found |= {path.stem, *_DEFINED.findall(text)}
    return frozenset(found - {"__init__"})


def load(name: str | Path) -> Suite:
    """A suite by name, or from a file given as a Path or with the ending `.toml`.

    Raises MissingError for a suite or fixture that is not there, UsageError for a file that does not fit, which names
    the case and the key.
    """
    given = isinstance(name, Path) or name.endswith(".toml")
    path = Path(name) if given else shipped("suites", f"{name}.toml")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingError(f"no suite '{name}'; there are: {', '.join(names())}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"suite {path} cannot be read: {error}") from error
    try:
        suite = Suite.model_validate({"name": path.stem} | table)
    except ValidationError as error:
        raise UsageError(f"suite {path}: {_problems(error, table)}") from error
    suite = suite.model_copy(update={"case": tuple(_beside(case, path.parent) for case in suite.case)})
    for case in suite.case:
        if not case.fixture:
            raise UsageError(f"suite {path}: case '{case.name}': fixture: neither the case nor the suite names one")
        if not case.fixture_folder.is_dir():
            raise MissingError(
                f"suite {suite.name} needs the fixture '{case.fixture}', which is not there (case '{case.name}')"
            )
    return suite


def _beside(case: Case, folder: Path) -> Case:
    if not case.fixture.startswith("./"):
        return case
    return case.model_copy(update={"fixture": str((folder / case.fixture).resolve())})


def _problems(error: ValidationError, table: dict[str, Any]) -> str:
    """The first problem of a file with the name of its case and its key, and how many more there are."""
    # A list counts as too short as well if what is in it does not fit; a misspelt key is why another one is missing.
    found = [p for p in error.errors() if p["type"] != "too_short" or not p["input"]]
    first, *more = sorted(found, key=lambda problem: problem["type"] != "extra_forbidden")
    place = list(first["loc"])
    named = ""
    if len(place) > 1 and place[0] == "case" and isinstance(number := place[1], int):
        case = table["case"][number]
        name = case.get("name") if isinstance(case, dict) else None
        named = f"case '{name}': " if name else f"case {number + 1}: "
        place = place[2:]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = f"unknown key{_near(str(place[-1]), _keys(first['loc']))}"
    others = f" (and {len(more)} more)" if more else ""
    return named + (f"{key}: " if key else "") + message + others


def _keys(loc: tuple[Any, ...]) -> list[str]:
    """Keys that stand where an unknown one was found."""
    if "expect" in loc:
        model = Expect if loc.index("expect") == len(loc) - 2 else CallPattern
    else:
        model = Case if loc[0] == "case" else Suite
    return [*model.model_fields, *(["prompt"] if model is Case else [])]


def _near(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean '{near[0]}'?" if near else ""
