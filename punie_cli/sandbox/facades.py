"""The modules that a program can import: façades that hold the listed names and nothing else.

A program never gets the module itself: nearly every one leads to `sys` or `os`.
"""

import abc
import ast
import base64
import bisect
import collections
import contextlib
import copy
import csv
import dataclasses
import datetime
import decimal
import difflib
import enum
import fnmatch
import fractions
import functools
import hashlib
import heapq
import html
import io
import itertools
import json
import math
import operator
import pathlib
import posixpath
import pprint
import random
import re
import shlex
import statistics
import string
import sys
import textwrap
import time
import tomllib
import types
import typing
from collections.abc import Callable, Collection
from types import FunctionType
from typing import Any

from punie_cli.sandbox.guards import DENIED, PolicyError, bases, getattr_guard, made
from punie_cli.sandbox.inert import typing_names
from punie_cli.sandbox.scope import stop_program
from punie_cli.sandbox.sizes import multiply

MAX_SLEEP_S = 5.0


class Facade:
    """A module as a program sees it."""

    def __init__(self, name: str, names: dict[str, Any]) -> None:
        # A program can get this class by type(json): copy() would call a __reduce_ex__ that it put in.
        if any(key.startswith("_") for key in names):
            raise PolicyError("a module's names must not begin with '_'")
        self.__dict__.update(names)
        self._name = name

    @property
    def _title(self) -> str:
        return self._name

    def __getattr__(self, name: str) -> Any:
        # Only reached for what is not there.
        raise AttributeError(_unknown(self._name, name, self))

    def __repr__(self) -> str:
        return f"<module '{self._name}'>"


def _names(facade: Facade) -> list[str]:
    return sorted(n for n in vars(facade) if not n.startswith("_"))


def _unknown(module: str, name: str, facade: Facade) -> str:
    names = _names(facade)
    near = difflib.get_close_matches(name, names, 1)
    hint = (
        f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(names[:12])}" + (", ..." if names[12:] else "")
    )
    return f"'{module}' has no '{name}' in the sandbox; {INSTEAD_OF.get(f'{module}.{name}', hint)}"


_FILES = "use read_file(path) and write_file(path, text)"
_COMMAND = "use run_command([...])"
INSTEAD = {
    "subprocess": _COMMAND, "os": _COMMAND, "shutil": _COMMAND, "glob": 'use run_command(["find", ...])',
    "tempfile": _FILES, "fileinput": _FILES, "pickle": "use json", "requests": "there is no network",
    "urllib": "there is no network", "socket": "there is no network", "http": "there is no network",
    "asyncio": "call the functions directly", "threading": "programs have one thread", "mypy": "use typecheck(path)",
    "multiprocessing": "programs have one process", "pytest": _COMMAND, "logging": "use print()",
}  # fmt: skip
INSTEAD_OF = {
    "pathlib.Path": _FILES, "os.listdir": 'use run_command(["ls", path])', "os.walk": 'use run_command(["find", path])',
    "os.system": _COMMAND, "os.environ": "the environment is empty", "os.remove": _COMMAND,
    "os.getcwd": "paths are relative", "sys.modules": "import what you need",
}  # fmt: skip


def _pick(module: Any, names: str) -> dict[str, Any]:
    """The named ones that this version of Python has."""
    return {name: getattr(module, name) for name in names.split() if hasattr(module, name)}


def _public(module: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def _dataclass(cls: type | None = None, **options: Any) -> Any:
    if cls is None:
        return lambda c: _dataclass(c, **options)
    if cls not in made:
        raise TypeError("dataclass() takes a class that the program defines")
    # Names go into the code that dataclass generates, which runs against this module.
    if cls.__module__ != "__sandbox__" or not all(n.isidentifier() for n in getattr(cls, "__annotations__", ())):
        raise PolicyError("this class cannot be a dataclass")
    new = dataclasses.dataclass(cls, **options)
    made.add(new)  # slots=True makes another class
    return new


def _wraps(wrapped: Any) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        if isinstance(function, FunctionType):
            for name in ("__name__", "__qualname__", "__doc__"):
                value = getattr(wrapped, name, None)
                if type(value) is str:
                    setattr(function, name, value)
        return function

    return decorate


def _attrgetter(*names: str) -> Callable[[Any], Any]:
    def one(value: Any, dotted: str) -> Any:
        return functools.reduce(getattr_guard, dotted.split("."), value)

    return lambda value: one(value, names[0]) if len(names) == 1 else tuple(one(value, n) for n in names)


def _methodcaller(name: str, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    return lambda value: getattr_guard(value, name)(*args, **kwargs)


def _sleep(seconds: float) -> None:
    if seconds > MAX_SLEEP_S:
        raise PolicyError(f"sleep({seconds:g}) is too long; at most {MAX_SLEEP_S:g} s are allowed")
    time.sleep(seconds)


def _namedtuple(name: str, fields: Any, *, rename: bool = False, defaults: Any = None) -> Any:
    made_tuple = collections.namedtuple(name, fields, rename=rename, defaults=defaults, module="__sandbox__")
    if refused := DENIED.intersection(made_tuple._fields):
        raise PolicyError(f"the name '{min(refused)}' is not available in the sandbox")
    return made_tuple


def _tables(write: Callable[[str], Any]) -> dict[str, dict[str, Any]]:
    """Names by dotted module name."""
    generator = random.Random()
    functions = "random randint randrange uniform choice choices shuffle sample gauss seed getrandbits triangular"
    return {
        "json": _pick(json, "loads dumps JSONDecodeError"),
        "re": _pick(
            re,
            "compile search match fullmatch split findall finditer sub subn escape Pattern Match error I IGNORECASE M "
            "MULTILINE S DOTALL X VERBOSE A ASCII",
        ),
        "math": _public(math),
        "itertools": _public(itertools),
        "collections": _pick(collections, "Counter defaultdict OrderedDict deque ChainMap")
        | {"namedtuple": _namedtuple},
        "collections.abc": _pick(collections.abc, "Iterable Iterator Sequence Mapping Callable Hashable Sized Set"),
        "functools": _pick(functools, "reduce partial lru_cache cache cmp_to_key total_ordering cached_property")
        | {"wraps": _wraps},
        "dataclasses": _pick(dataclasses, "field asdict astuple replace fields is_dataclass")
        | {"dataclass": _dataclass},
        "datetime": _pick(datetime, "date datetime time timedelta timezone UTC"),
        "time": _pick(time, "time time_ns perf_counter monotonic process_time strftime strptime gmtime localtime")
        | {"sleep": _sleep},
        "random": {name: getattr(generator, name) for name in functions.split()},
        "statistics": _pick(
            statistics,
            "mean fmean median median_low median_high mode multimode stdev pstdev variance pvariance quantiles",
        ),
        "textwrap": _pick(textwrap, "dedent indent wrap fill shorten"),
        "enum": _pick(enum, "Enum IntEnum StrEnum Flag IntFlag auto unique"),
        "copy": _pick(copy, "copy deepcopy"),
        "difflib": _pick(difflib, "unified_diff ndiff get_close_matches SequenceMatcher"),
        "hashlib": _pick(hashlib, "md5 sha1 sha224 sha256 sha384 sha512 blake2b blake2s"),
        "base64": _pick(
            base64,
            "b64encode b64decode b32encode b32decode b16encode b16decode urlsafe_b64encode urlsafe_b64decode",
        ),
        "bisect": _pick(bisect, "bisect bisect_left bisect_right insort insort_left insort_right"),
        "heapq": _pick(heapq, "heappush heappop heapify heappushpop heapreplace nlargest nsmallest merge"),
        "fnmatch": _pick(fnmatch, "fnmatch fnmatchcase filter translate"),
        "shlex": _pick(shlex, "split join quote"),
        "decimal": _pick(decimal, "Decimal ROUND_HALF_UP ROUND_HALF_EVEN ROUND_DOWN ROUND_UP InvalidOperation"),
        "fractions": _pick(fractions, "Fraction"),
        "html": _pick(html, "escape unescape"),
        "string": _pick(
            string,
            "ascii_letters ascii_lowercase ascii_uppercase digits hexdigits octdigits punctuation whitespace printable "
            "capwords",
        ),
        "operator": _pick(
            operator,
            "add sub truediv floordiv mod neg eq ne lt le gt ge and_ or_ xor not_ contains getitem itemgetter concat "
            "countOf",
        )
        | {"mul": multiply, "attrgetter": _attrgetter, "methodcaller": _methodcaller},
        "abc": _pick(abc, "ABC abstractmethod"),
        "contextlib": _pick(contextlib, "contextmanager suppress nullcontext"),
        "typing": typing_names(),
        "pprint": {
            "pprint": lambda value, **options: write(pprint.pformat(value, **options) + "\n"),
            "pformat": pprint.pformat,
        },
        "csv": _pick(csv, "reader writer DictReader DictWriter QUOTE_ALL QUOTE_MINIMAL"),
        "io": _pick(io, "StringIO BytesIO"),
        "tomllib": _pick(tomllib, "loads TOMLDecodeError"),
        "ast": _pick(ast, "literal_eval"),
        "pathlib": _pick(pathlib, "PurePath PurePosixPath"),
        "os.path": _pick(posixpath, "join basename dirname splitext split normpath isabs commonpath relpath sep"),
        "os": {"sep": "/", "linesep": "\n"},
        "sys": {
            "argv": [],
            "maxsize": sys.maxsize,
            "version_info": tuple(sys.version_info[:3]),
            "version": sys.version.partition(" ")[0],
            "exit": stop_program,
            "stdout": Facade("sys.stdout", {"write": write, "flush": lambda: None}),
            "stderr": Facade("sys.stderr", {"write": write, "flush": lambda: None}),
        },
        "__future__": {"annotations": None},
        "_strptime": {},  # strptime asks for it by way of the program's import; it takes the real one
    }


def module_names(modules: dict[str, Any]) -> list[str]:
    """The modules to tell of."""
    return sorted(name for name in modules if not name.startswith("_"))


class Importer:
    """The `__import__` of programs."""

    def __init__(self, write: Callable[[str], Any]) -> None:
        tables = _tables(write)
        self.modules = {name: Facade(name, names) for name, names in tables.items()}
        bases.update(value for names in tables.values() for value in names.values() if isinstance(value, type))
        bases.update(base for base in types.resolve_bases((typing.NamedTuple,)) if isinstance(base, type))
        # A class of one's own writes any name into an instance, also such that copy and pattern matching obey.
        bases.discard(functools.cached_property)
        self.modules["os"].__dict__["path"] = self.modules["os.path"]
        self.modules["collections"].__dict__["abc"] = self.modules["collections.abc"]

    def __call__(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Collection[str] | None = (), level: int = 0
    ) -> Facade:
        """Raises ImportError for a module or name that is not there, saying what to use instead."""
        if type(name) is not str or name not in self.modules:
            top = str(name).partition(".")[0]
            instead = INSTEAD.get(top, f"there are: {', '.join(module_names(self.modules))}")
            raise ImportError(f"module '{name}' is not available in the sandbox; {instead}")
        module = self.modules[name]
        if not fromlist:
            return self.modules[name.partition(".")[0]]
        for wanted in fromlist:
            if wanted not in vars(module) or wanted.startswith("_"):
                raise ImportError(_unknown(name, wanted, module))
        return module
