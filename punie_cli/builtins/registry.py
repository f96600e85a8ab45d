"""Builtins: one declaration each, from which come the stub, the signature, the call and the docs page.

A builtin is an async function in a module of this folder, marked with `@builtin`. Its first parameter is the
workspace, which programs do not see; parameters are `Annotated[type, "what it is"]`; it returns a str or a
`Result`.
"""

import importlib
import inspect
import json
import logging
import pkgutil
import time
import types
import typing
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

import punie_cli.builtins
from punie_cli.approvals import Decision, Question
from punie_cli.errors import UsageError
from punie_cli.workspace import Workspace

log = logging.getLogger(__name__)

DEFAULT_NAMES = ("typecheck", "lint", "test", "read_file", "write_file", "run_command")

# What a program can catch by its own name; any other OSError or ValueError arrives as its base class.
_KINDS = (
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
    TimeoutError,
    OSError,
    TypeError,
    ValueError,
)
_declared: dict[str, "Builtin"] = {}
F = typing.TypeVar("F", bound=Callable[..., Awaitable[Any]])


class Result(BaseModel):
    """Base of what builtins return: read-only, and its `str` is what a person and the model read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def blocked(self) -> dict[str, str]:
        """Fields that a program must not read, each with the reason (a check that failed has no findings)."""
        return {}


@dataclass(frozen=True)
class Parameter:
    """A parameter that programs see; `default` is `inspect.Parameter.empty` if there is none."""

    name: str
    annotation: Any
    default: Any
    doc: str

    def __str__(self) -> str:
        text = f"{self.name}: {type_text(self.annotation)}"
        if self.default is inspect.Parameter.empty:
            return text
        return f"{text} = {json.dumps(self.default) if isinstance(self.default, str) else repr(self.default)}"


@dataclass(frozen=True)
class Builtin:
    """A declared builtin; `doc` is the whole docstring, `summary` its first line."""

    name: str
    function: Callable[..., Awaitable[Any]]
    parameters: tuple[Parameter, ...]
    returns: type
    doc: str

    @property
    def summary(self) -> str:
        return self.doc.partition("\n")[0].rstrip(".")


@dataclass(frozen=True)
class Approval:
    """A question that a call led to, and what was decided; `edited` is what a person wrote in place of the text."""

    builtin: str
    args: dict[str, Any]
    decision: Literal["allowed", "refused"]
    by: Literal["rule", "person", "no-terminal"]
    edited: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a call came to. `result` is JSON for records, `wire` the value or record that the sandbox gets.

    `seconds` leaves out the time that a person took to answer. `ok` is False with `error` None if a wrapped
    tool failed.
    """

    builtin: str
    args: dict[str, Any]
    ok: bool
    result: Any
    error: dict[str, str] | None
    seconds: float
    approval: Approval | None
    wire: Any


def builtin(function: F) -> F:
    """Declare an async function as a builtin under its own name."""
    name = getattr(function, "__name__", "")
    hints = typing.get_type_hints(function, include_extras=True)
    first, *shown = inspect.signature(function).parameters.values()
    if not _is_async(function) or hints.get(first.name) is not Workspace:
        raise TypeError(f"{name} must be async and take a Workspace first")
    parameters = []
    for parameter in shown:
        annotation, *docs = get_args(hints[parameter.name])
        parameters.append(Parameter(parameter.name, annotation, parameter.default, docs[0]))
    doc = inspect.cleandoc(function.__doc__ or "")
    _declared[name] = Builtin(name, function, tuple(parameters), hints["return"], doc)
    return function


def _is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function)


def declared() -> dict[str, Builtin]:
    """Every builtin of this folder by name; imports its modules on the first call."""
    for module in pkgutil.iter_modules(punie_cli.builtins.__path__):
        importlib.import_module(f"punie_cli.builtins.{module.name}")
    return dict(_declared)


class Registry:
    """The builtins of one session, in a fixed order; raises UsageError for a name that does not exist."""

    def __init__(self, names: Iterable[str] | None = None) -> None:
        self.names = tuple(DEFAULT_NAMES if names is None else names)
        known = declared()
        for name in self.names:
            if name not in known:
                raise UsageError(f"no builtin '{name}'; there are: {', '.join(sorted(known))}")
        self._builtins = {name: known[name] for name in self.names}

    def __getitem__(self, name: str) -> Builtin:
        return self._builtins[name]

    def stub(self, name: str) -> str:
        """Signature, summary and result fields in one to two lines, for the prompt."""
        declaration = self._builtins[name]
        parameters = ", ".join(str(parameter) for parameter in declaration.parameters)
        text = f"{name}({parameters}) -> {type_text(declaration.returns)}: {declaration.summary}"
        fields = _field_text(declaration.returns)
        return f"{text}\n  {fields}" if fields else text

    def stubs(self) -> str:
        """All stubs, one below the other."""
        return "\n".join(self.stub(name) for name in self.names)

    def signatures(self) -> dict[str, str]:
        """Canonical signature text by name, with all result fields and their types; kept with adapters."""
        return {
            name: f"{name}({', '.join(map(str, b.parameters))}) -> {_shape(b.returns)}"
            for name, b in self._builtins.items()
        }

    def specs(self) -> list[dict[str, Any]]:
        """Names, parameters and defaults as JSON, for the sandbox worker."""
        empty = inspect.Parameter.empty
        return [
            {
                "name": name,
                "parameters": [
                    {"name": p.name} if p.default is empty else {"name": p.name, "default": p.default}
                    for p in b.parameters
                ],
            }
            for name, b in self._builtins.items()
        ]

    async def call(self, name: str, args: dict[str, Any], workspace: Workspace) -> Outcome:
        """Call a builtin. What the program did wrong comes back as `error`, nothing is raised for it."""
        asked: list[Approval] = []
        waited = 0.0

        async def approver(question: Question) -> Decision:
            nonlocal waited
            start = time.monotonic()
            decision = await workspace.approver(question)
            waited += time.monotonic() - start
            word = "allowed" if decision.allowed else "refused"
            asked.append(Approval(question.builtin, question.args, word, decision.by, decision.edited))
            return decision

        start = time.monotonic()
        value, error = None, None
        try:
            checked = self._check(name, args)
            value = await self._builtins[name].function(workspace.with_approver(approver), **checked)
        except Exception as problem:
            error = _error(problem)
        seconds = time.monotonic() - start - waited
        record = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        ok = error is None and getattr(value, "tool_error", None) is None
        return Outcome(
            name,
            args,
            ok,
            record,
            error,
            seconds,
            asked[-1] if asked else None,
            None if error else wire(value),
        )

    def _check(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        if name not in self._builtins:
            raise NameError(f"no builtin '{name}'; there are: {', '.join(self.names)}")
        known = {parameter.name: parameter for parameter in self._builtins[name].parameters}
        for key in args:
            if key not in known:
                raise TypeError(f"{name}() has no argument '{key}'; it takes: {', '.join(known)}")
        for key, parameter in known.items():
            if key not in args:
                if parameter.default is inspect.Parameter.empty:
                    raise TypeError(f"{name}() needs '{key}'")
                continue
            try:
                TypeAdapter(parameter.annotation).validate_python(args[key], strict=True)
            except ValidationError:
                wanted = type_text(parameter.annotation)
                got = _kind_of(args[key], wanted)
                raise TypeError(f"{name}() argument '{key}' must be {wanted}, not {got}") from None
        return args


def _kind_of(value: Any, wanted: str) -> str:
    """The type of a value; of a list where one is wanted with those of its items, which then are what is wrong."""
    kind = type(value).__name__
    if not isinstance(value, list) or not value or "list" not in wanted:
        return kind
    return f"{kind}[{' | '.join(dict.fromkeys(type(item).__name__ for item in value))}]"


def wire(value: Any) -> Any:
    """The JSON form in which a value travels to the sandbox; a Result becomes a record with its text."""
    if isinstance(value, BaseModel):
        blocked = value.blocked() if isinstance(value, Result) else {}
        fields = {name: None if name in blocked else wire(getattr(value, name)) for name in type(value).model_fields}
        return {"$record": type(value).__name__, "fields": fields, "text": str(value), "blocked": blocked}
    if isinstance(value, dict):
        return {"$dict": [[wire(key), wire(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [wire(item) for item in value]
    return value


def type_text(annotation: Any) -> str:
    """An annotation as Python source, without module names."""
    if annotation is None or annotation is types.NoneType:
        return "None"
    arguments = get_args(annotation)
    if get_origin(annotation) in {types.UnionType, typing.Union}:
        return " | ".join(type_text(argument) for argument in arguments)
    if get_origin(annotation) is Literal:
        return " | ".join(json.dumps(argument) for argument in arguments)
    if arguments:
        return f"{get_origin(annotation).__name__}[{', '.join(type_text(a) for a in arguments)}]"
    return annotation.__name__


def item_model(annotation: Any) -> type[BaseModel] | None:
    """The model inside `list[Model]`."""
    arguments = get_args(annotation)
    if get_origin(annotation) is list and isinstance(arguments[0], type) and issubclass(arguments[0], BaseModel):
        return arguments[0]
    return None


def _field_text(returns: Any) -> str:
    if not (isinstance(returns, type) and issubclass(returns, BaseModel)):
        return ""
    lines = [" ".join(f".{name}" for name in returns.model_fields)]
    lists: dict[type[BaseModel], list[str]] = {}
    for name, field in returns.model_fields.items():
        item = item_model(field.annotation)
        if item is not None:
            lists.setdefault(item, []).append(f".{name}[i]")
    for item, names in lists.items():
        lines.append(f"{', '.join(names)}: {' '.join(f'.{inner}' for inner in item.model_fields)}")
    return "\n  ".join(lines)


def _shape(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = ", ".join(f"{n}: {_shape(f.annotation)}" for n, f in annotation.model_fields.items())
        return f"{annotation.__name__}({fields})"
    item = item_model(annotation)
    return f"list[{_shape(item)}]" if item else type_text(annotation)


def _error(problem: Exception) -> dict[str, str]:
    if type(problem) is NameError:
        return {"kind": "NameError", "message": str(problem)}
    for kind in _KINDS:
        if isinstance(problem, kind):
            message = str(problem)
            if isinstance(problem, OSError) and problem.errno is not None:
                # The usual text shows absolute paths; a program knows relative ones.
                name = Path(str(problem.filename or "")).name
                message = (problem.strerror or kind.__name__) + (f": '{name}'" if name else "")
            return {"kind": kind.__name__, "message": message}
    log.error("a builtin failed", exc_info=problem)
    return {"kind": "RuntimeError", "message": f"{type(problem).__name__}: {problem}"}
