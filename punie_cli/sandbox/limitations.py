"""docs/limitations.md: what the sandbox refuses, each with a program that is run for the page."""

from typing import Any

from punie_cli.sandbox.facades import INSTEAD, INSTEAD_OF
from punie_cli.sandbox.guards import DENIED
from punie_cli.sandbox.host import CallReply, Limits, Sandbox
from punie_cli.sandbox.policy import INSTEAD_OF_NAME
from punie_cli.sandbox.scope import REFUSED

_HEAD = """# Limitations of programs

Made from the program by `python -m punie_cli.docs`, which runs every example; a test says when it is not current.

A program is Python, less what is on this page. An error names the way out. What the text alone shows is refused before
anything runs, with its line; the rest when it happens, and then a program can catch it. What the limits on time, memory
and output are, and what holds if one of these rules is broken, is in [The sandbox](sandbox.md).

"""
_TAIL = """## Attributes that are never read

Of any object, by any way: `.name`, `getattr`, patterns, `attrgetter`, format fields.

{denied}

## By the version of Python

Refused where Python has them; the examples above are run with 3.11:

- `def f[T](x): ...` (3.12): type parameters are not available; leave them out, annotations are not evaluated
- `type Pair = tuple[int, int]` (3.12): type statements are not available; leave them out, annotations are not evaluated
- `lazy import json` (3.15): lazy imports are not available

## Differences that are no refusal

- Annotations are dropped without being evaluated; `typing` does nothing.
- `type(cls)` is the function `type`; `__dict__` and `vars` are copies.
- All that a program prints is one output: `sys.stderr` goes there too, `print(flush=True)` changes nothing.
- Names last for one turn of a conversation, and are gone when a limit ended a program.
- There is one thread and one process, no signal, no environment, no command line.
"""

# (what, program) by section. "…" stands for many more of what is before it.
_LANGUAGE = [
    ("async", "async def f(): pass"),
    ("await", "x = await read_file('a')"),
    ("an asynchronous loop", "async for x in y: pass"),
    ("except*", "try: pass\nexcept* ValueError: pass"),
    ("a star import", "from math import *"),
    ("a relative import", "from . import x"),
    ("a private module", "from _io import open"),
    ("a private name of a module", "from random import _inst"),
    ("metaclass and other keywords of a class", "class A(metaclass=type): pass"),
    ("a dunder name", "print(__builtins__)"),
    ("a name that begins and ends with `_`", "def f(_getattr_, /): pass"),
    ("a dunder attribute", "().__class__.__bases__"),
    ("a dunder attribute that is set", "print.__name__ = 'x'"),
    ("frames and code", "(x for x in []).gi_frame"),
    ("a hidden attribute in a pattern", "match 1:\n    case str(format=f): pass"),
    ("a program nested too deeply", "-…1"),
    ("a program of more than 200,000 characters", "x = 'a…'"),
]
_OBJECTS = [
    ("an attribute that is hidden", "getattr(object, '__subclasses__')"),
    ("the object of an exception", "getattr(ValueError(), 'obj')"),
    ("a private attribute of what the program did not make", "print._channel"),
    ("an attribute of a generic alias", "list[int].append"),
    ("a name that is no plain text", "class Name(str): pass\ngetattr(1, Name('real'))"),
    ("getattr with too much", "getattr(1, 'real', 2, 3)"),
    ("vars of something else", "vars(json)"),
    ("a dunder that is set", "class A: pass\nsetattr(A, '__call__', print)"),
    ("changing a module", "json.dumps = print"),
    ("deleting from a module", "del json.dumps"),
    ("changing a builtin class", "str.shout = print"),
    ("changing a function that is not its own", "print.note = 1"),
    ("a class of classes", "class Meta(type): pass"),
    ("a class from a library's class that is no base", "from dataclasses import field\nclass A(type(field())): pass"),
    ("a class made by type", "type('A', (), {})"),
    ("attributes in format fields", "'{0.real}'.format(1)"),
    ("items in format fields", "'{a[0]}'.format_map({'a': [1]})"),
]
_MODULES = [
    ("a name that a module does not have", "import math\nmath.squareroot"),
    ("a name that a module does not have, imported", "from string import Formatter"),
    ("a submodule", "import json.decoder"),
    ("a module's class with names of its own", "type(json)('x', {'_a': 1})"),
    ("a class from a module's class", "class A(type(json)): pass"),
    ("a class from cached_property", "from functools import cached_property\nclass A(cached_property): pass"),
    (
        "copying an object that holds a special method itself",
        "from copy import copy\nfrom functools import cached_property\nclass A: __len__ = cached_property(id)\n"
        "a = A()\na.__len__\ncopy(a)",
    ),
    ("dataclass on what the program did not define", "from dataclasses import dataclass\ndataclass(int)"),
    ("a field of a named tuple", "from collections import namedtuple\nnamedtuple('N', 'gi_frame')"),
    ("a member of an enum", "from enum import Enum\nEnum('E', '__call__')"),
    ("an enum with more arguments", "from enum import Enum\nEnum('E', 'A', module='os')"),
    ("a long sleep", "import time\ntime.sleep(60)"),
    ("bytes to the output", "import sys\nsys.stdout.write(b'x')"),
    ("a separator that is no text", "print(1, sep=2)"),
]
_SIZES = [
    ("a large integer by `**`", "10 ** 10 ** 10"),
    ("a large integer by `pow`", "pow(10, 10 ** 10)"),
    ("a large integer by `<<`", "1 << 10 ** 9"),
    ("a large text by `*`", "'ab' * 10 ** 9"),
    ("a large list, in place", "x = [0]\nx *= 10 ** 9"),
]
_CALLS = [
    ("a field that a result does not have", "typecheck().error"),
    ("a field of a check that did not happen", "typecheck().errors"),
    ("changing a result", "typecheck().success = False"),
    ("a result made up", "type(typecheck())()"),
    ("an argument that is missing", "read_file()"),
    ("an argument too many", "typecheck('a', 'b')"),
    ("an argument given twice", "typecheck('a', path='b')"),
    ("an argument that is not there", "typecheck(folder='a')"),
    ("a value that no builtin takes", "read_file({1, 2})"),
    ("a key that is no text", "read_file({1: 2})"),
    ("a value nested too deeply", "x = []\nx.append(x)\nread_file(x)"),
    ("an argument of more than 4 MiB", "read_file('ab' * 2 ** 22)"),
    ("a call of more than 8 MiB", "read_file('€' * 3_000_000)"),
]

_SPECS = [
    {"name": "typecheck", "parameters": [{"name": "path", "default": "."}]},
    {"name": "read_file", "parameters": [{"name": "path"}]},
]
_RESULT = {
    "$record": "TypecheckResult",
    "fields": {"success": False, "errors": None, "tool_error": "ty is not there"},
    "text": "",
    "blocked": {"errors": "the check did not happen: ty is not there"},
}


def _sections() -> dict[str, list[tuple[str, str]]]:
    names = [(f"`{name}`", f"class A:\n    {name} = 1") for name in INSTEAD_OF_NAME if name != "__class__"]
    modules = [(f"`{name}`", f"import {name}") for name in INSTEAD if name not in ("os",)]
    inside = [(f"`{name}`", "import {0}\n{0}.{1}".format(*name.split("."))) for name in INSTEAD_OF]
    return {
        "The language": _LANGUAGE,
        "Methods and names of a class": names,
        "Builtin functions": [(f"`{name}`", f"{name}()") for name in REFUSED],
        "Objects": _OBJECTS,
        "Modules that are not there": [("any other", "import numpy"), *modules],
        "Names of modules": inside + _MODULES,
        "Results too large to hold": _SIZES,
        "Calls of builtins": _CALLS,
    }


async def limitations_page() -> str:
    """The page as Markdown; runs its examples. Raises AssertionError for one that is not refused."""

    async def call(name: str, args: dict[str, Any]) -> CallReply:
        return {"ok": _RESULT}

    parts = [_HEAD]
    async with Sandbox(_SPECS, Limits(cpu_s=60, wall_s=600)) as sandbox, await sandbox.turn() as turn:
        for title, examples in _sections().items():
            parts.append(f"## {title}\n\n| what | program | error |\n|---|---|---|\n")
            for what, program in examples:
                output = await turn.run(_whole(program), call)
                assert output.error is not None, program
                assert not output.killed, program
                parts.append(
                    f"| {what} | {_code(program)} | {_cell(f'{output.error.kind}: {output.error.message}')} |\n"
                )
            parts.append("\n")
    parts.append(_TAIL.format(denied=", ".join(f"`{name}`" for name in sorted(DENIED))))
    return "".join(parts)


def _whole(program: str) -> str:
    return program.replace("-…", "-" * 60_000).replace("a…", "a" * 200_000)


def _code(program: str) -> str:
    """In a table's cell a line break is `<br>`."""
    lines = (line.replace("    ", "\u00a0\u00a0\u00a0\u00a0") for line in program.split("\n"))
    return "<br>".join(f"`{_cell(line)}`" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
