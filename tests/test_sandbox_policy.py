"""The language of programs: what runs as it does in plain Python, what is refused and how, and what records are."""

import ast
import asyncio
import builtins
import contextlib
import io
import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

import pytest

import punie_cli.sandbox
from punie_cli.sandbox.docs import sandbox_page
from punie_cli.sandbox.facades import Importer, module_names
from punie_cli.sandbox.guards import getattr_guard
from punie_cli.sandbox.host import Limits, ProgramError, ProgramOutput, Sandbox
from punie_cli.sandbox.limitations import limitations_page

PROGRAMS = Path(__file__).parent / "programs"
MODULES = Importer(lambda text: None).modules
# A message that no known program gets: behind it is what the transformer refuses.
ELSEWHERE = {"this class cannot be a dataclass"}
# Type statements are Python 3.12.
TYPE_STATEMENT = (
    "PolicyError: type statements are not available; leave them out, annotations are not evaluated (line 2)"
    if sys.version_info >= (3, 12)
    else "SyntaxError: invalid syntax"
)


def cases(name: str) -> list[Any]:
    """Blocks of `=== title`, program, `---`, output and, if it must fail, a last line `! Kind: message`."""
    found = []
    for block in (PROGRAMS / name).read_text("utf-8").split("=== ")[1:]:
        title, _, rest = block.partition("\n")
        program, _, expected = rest.partition("---\n")
        found.append(pytest.param(program, expected, id=title))
    return found


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    box = Sandbox([], Limits(cpu_s=20, wall_s=120))
    yield box
    asyncio.run(box.close())


async def no_call(name: str, args: dict[str, Any]) -> dict[str, Any]:
    raise AssertionError(f"{name} was called")


async def run(sandbox: Sandbox, program: str) -> ProgramOutput:
    async with await sandbox.turn() as turn:
        return await turn.run(program, no_call)


def in_plain_python(program: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(program, "<plain>", "exec", dont_inherit=True), {"__name__": "__main__", "json": json})
    return printed.getvalue()


@pytest.mark.parametrize(("program", "expected"), cases("ordinary.txt"))
async def test_an_ordinary_program_runs_as_in_plain_python(sandbox: Sandbox, program: str, expected: str) -> None:
    output = await run(sandbox, program)
    assert (output.text, output.error) == (expected, None)
    assert in_plain_python(program) == expected


def expectation(expected: str) -> tuple[str, str]:
    """What a program that fails printed, and its error as `Kind: message`."""
    text, _, error = expected.rpartition("! ")
    modules = ", ".join(module_names(MODULES))
    return text, error.rstrip("\n").replace("{modules}", modules).replace("{type_statement}", TYPE_STATEMENT)


@pytest.mark.parametrize(("program", "expected"), cases("refused.txt"))
async def test_a_program_is_refused_with_the_exact_error(sandbox: Sandbox, program: str, expected: str) -> None:
    program = program.replace("{many}", "-" * 60_000).replace("{long}", "a" * 200_002)
    output = await run(sandbox, program)
    text, error = expectation(expected)
    assert output.error is not None
    assert (output.text, f"{output.error.kind}: {output.error.message}", output.killed) == (text, error, False)


def test_no_attribute_of_a_module_leads_out() -> None:
    """Walks all that a program can reach by attributes from what it can import, on this version of Python."""
    found: list[Any] = [v for v in vars(os).values() if isinstance(v, (FunctionType, BuiltinFunctionType))]
    found += [open, eval, exec, compile, getattr, setattr, type, globals, io.FileIO, sys.modules, sys._getframe]
    found += [builtins.__import__, str.format, str.format_map]
    forbidden = {id(value) for value in found}
    waiting: list[tuple[str, Any]] = list(MODULES.items())
    seen: dict[int, Any] = {}
    leaks = []
    while waiting:
        path, value = waiting.pop()
        if id(value) in seen or path.count(".") > 4:
            continue
        seen[id(value)] = value
        if id(value) in forbidden:
            leaks.append(path)
        if isinstance(value, (list, tuple)):
            waiting += [(f"{path}[{n}]", item) for n, item in enumerate(value)]
        for name in (n for n in dir(value) if not n.startswith("_")):
            with contextlib.suppress(Exception):
                waiting.append((f"{path}.{name}", getattr_guard(value, name)))
    assert leaks == []
    assert len(seen) > 2000


# Records


WIRE = {
    "$record": "Result",
    "fields": {
        "success": True,
        "count": 2,
        "errors": [{"$record": "Finding", "fields": {"line": 3}, "text": "line 3", "blocked": None}],
        "format": "short",
        "extra": {"$dict": [["k", [1, None]]]},
        "hidden": [],
    },
    "text": "2 errors",
    "blocked": {"hidden": "the check did not happen"},
}
SPECS = [
    {"name": "check", "parameters": [{"name": "path", "default": "."}]},
    {"name": "send", "parameters": [{"name": "first"}, {"name": "second", "default": None}]},
]


@pytest.fixture(scope="module")
def with_builtins() -> Iterator[Sandbox]:
    box = Sandbox(SPECS, Limits(cpu_s=20, wall_s=120))
    yield box
    asyncio.run(box.close())


async def answer(sandbox: Sandbox, program: str) -> tuple[str, ProgramError | None, list[Any]]:
    """Output, error, and the calls that arrived; `check` gives the record, `send` what it got."""
    calls: list[Any] = []

    async def call(name: str, args: dict[str, Any]) -> dict[str, Any]:
        calls.append((name, args))
        return {"ok": WIRE if name == "check" else args["first"]}

    async with await sandbox.turn() as turn:
        output = await turn.run(program, call)
    return output.text, output.error, calls


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("r.success, r.count, r['count']", "True 2 2"),
        ("r", "2 errors"),
        ("[r]", "[2 errors]"),
        ("str(r), repr(r), f'{r:>10}', f'{r!r}', '{}'.format(r)", "2 errors 2 errors   2 errors 2 errors 2 errors"),
        ("r.errors[0].line, r.errors[0], len(r.errors), [e.line for e in r['errors']]", "3 line 3 1 [3]"),
        ("r.format, r.extra['k']", "short [1, None]"),
        ("bool(r), r == check(), r != check(), r == 1, r.errors[0] == r", "True True False False False"),
        ("type(r).__name__, isinstance(r, type(r)), hasattr(r, 'count'), hasattr(r, 'nope')", "Result True True False"),
        ("getattr(r, 'nope', 'none'), copy.copy(r).count, copy.deepcopy(r) == r", "none 2 True"),
    ],
)  # fmt: skip
async def test_a_record_reads_as_fields_and_prints_as_text(
    with_builtins: Sandbox, expression: str, printed: str
) -> None:
    text, error, _ = await answer(with_builtins, f"import copy\nr = check()\nprint(*[{expression}])")
    assert (text, error) == (f"{printed}\n", None)


FIELDS = "Result has no field '{}'; it has: success, count, errors, format, extra, hidden"


@pytest.mark.parametrize(
    ("statement", "kind", "message"),
    [
        ("r.error", "AttributeError", FIELDS.format("error")),
        ("r['error']", "KeyError", '"' + FIELDS.format("error") + '"'),
        ("r.hidden", "RuntimeError", "the check did not happen"),
        ("r['hidden']", "RuntimeError", "the check did not happen"),
        ("getattr(r, 'hidden', [])", "RuntimeError", "the check did not happen"),
        ("len(r.hidden) == 0", "RuntimeError", "the check did not happen"),
        ("hasattr(r, 'hidden')", "RuntimeError", "the check did not happen"),
        ("r.count = 0", "TypeError", "'Result' is read-only; its 'count' cannot be set"),
        ("r.count += 1", "TypeError", "'Result' is read-only; its 'count' cannot be set"),
        ("setattr(r, 'count', 0)", "TypeError", "'Result' is read-only; its 'count' cannot be set"),
        ("del r.count", "TypeError", "'Result' is read-only; its 'count' cannot be deleted"),
        ("r['count'] = 0", "TypeError", "'Result' object does not support item assignment"),
        ("r._fields['count'] = 0", "AttributeError", "'Result' object has no attribute '_fields'"),
        ("r.__init__({}, '', {})", "PolicyError", "the attribute '__init__' is not available in the sandbox"),
        ("for field in r: pass", "TypeError", "'Result' object is not iterable"),
        ("len(r)", "TypeError", "object of type 'Result' has no len()"),
        ("{r: 1}", "TypeError", "unhashable type: 'Result'"),
    ],
)
async def test_a_record_is_read_only_and_names_its_fields(
    with_builtins: Sandbox, statement: str, kind: str, message: str
) -> None:
    text, error, _ = await answer(with_builtins, f"r = check()\n{statement}\nprint('after')")
    assert (text, error) == ("", ProgramError(kind, message, 2))


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        ("None", None),
        ("[True, 1, 2.5, 'é', (1, 2)]", [True, 1, 2.5, "é", [1, 2]]),
        ("{'a': {'b': []}}", {"a": {"b": []}}),
        ("Counter('aa')", {"a": 2}),
        ("Level.HIGH", 2),
        ("Liar('real')", "real"),
        ("{Liar('key'): 1}", {"key": 1}),
        ("List([1, 2])", [1, 2]),
        ("Point(1, 2)", [1, 2]),
        ("PurePath('a') / 'b.py'", "a/b.py"),
        ("'\\ud800'", "?"),
    ],
)
async def test_arguments_arrive_as_plain_values(with_builtins: Sandbox, value: str, arrives: Any) -> None:
    program = f"""
from collections import Counter, namedtuple
from enum import IntEnum
from pathlib import PurePath
class Liar(str):
    def __str__(self): return "fake"
class List(list):
    def __iter__(self): return iter(["fake"])
class Level(IntEnum):
    HIGH = 2
Point = namedtuple("Point", "x y")
send({value})
"""
    _, error, calls = await answer(with_builtins, program)
    assert (error, calls) == (None, [("send", {"first": arrives})])


DEEP = "x = []\nfor _ in range(25):\n    x = [x]\n"
OWN = "x = []\nx.append(x)\n"


@pytest.mark.parametrize(
    ("program", "kind", "message"),
    [
        ("send()", "TypeError", "send(first, second=None) needs 'first'"),
        ("send(1, 2, 3)", "TypeError", "send(first, second=None) takes at most 2 arguments, not 3"),
        ("send(1, first=2)", "TypeError", "send(first, second=None) got 'first' twice"),
        ("send(1, third=2)", "TypeError", "send(first, second=None) got 'third', which it does not take"),
        ("check('.', '.')", "TypeError", "check(path='.') takes at most 1 argument, not 2"),
        ("send({1, 2})", "TypeError", "a builtin takes text, numbers, lists and dicts, not set"),
        ("send(print)", "TypeError", "a builtin takes text, numbers, lists and dicts, not function"),
        ("send(check())", "TypeError", "a builtin takes text, numbers, lists and dicts, not Result"),
        ("send({1: 2})", "TypeError", "keys of a dict must be text, not int"),
        (DEEP + "send(x)", "TypeError", "an argument is nested more than 20 levels deep"),
        (OWN + "send(x)", "TypeError", "an argument is nested more than 20 levels deep"),
        ("send('x' * (5 * 2**20))", "ValueError", "send(): 'first' is larger than 4 MiB"),
        ("nothing()", "NameError", "name 'nothing' is not defined"),
        ("check.path = 1", "TypeError", "'function' is read-only; its 'path' cannot be set"),
    ],
)
async def test_a_wrong_call_does_not_leave_the_sandbox(
    with_builtins: Sandbox, program: str, kind: str, message: str
) -> None:
    text, error, calls = await answer(with_builtins, program)
    assert error is not None
    assert (text, error.kind, error.message) == ("", kind, message)
    assert [name for name, _ in calls if name == "send"] == []


@pytest.mark.parametrize("kind", ["FileNotFoundError", "PermissionError", "TimeoutError", "ValueError", "TypeError"])
async def test_an_error_of_a_builtin_is_raised_in_the_program(with_builtins: Sandbox, kind: str) -> None:
    async def call(name: str, args: dict[str, Any]) -> dict[str, Any]:
        return {"error": {"kind": kind, "message": "no file 'a'"}}

    program = f"try:\n    check()\nexcept {kind} as e:\n    print(type(e).__name__, e)\ncheck()"
    async with await with_builtins.turn() as turn:
        output = await turn.run(program, call)
    assert (output.text, output.error) == (f"{kind} no file 'a'\n", ProgramError(kind, "no file 'a'", 5))


async def test_the_docs_pages_are_current_and_their_examples_are_refused() -> None:
    docs = Path(__file__).parents[1] / "docs"
    assert (docs / "sandbox.md").read_text("utf-8") == sandbox_page(), "run: python -m punie_cli.docs"
    assert (docs / "limitations.md").read_text("utf-8") == await limitations_page(), "run: python -m punie_cli.docs"


def messages(path: Path) -> list[str]:
    """The longest constant part of each message that a module of the policy raises or collects."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        calls = (isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", ""))) or ""
        if calls.endswith(("Error", "error")) and isinstance(node, ast.Call):
            parts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            texts = sorted((part for part in parts if isinstance(part, str)), key=len)
            found += [text.strip() for text in texts[-1:] if len(text) > 12]
    return found


def test_every_message_of_the_policy_is_on_the_page_of_limitations() -> None:
    page = (Path(__file__).parents[1] / "docs" / "limitations.md").read_text("utf-8")
    modules = ("policy", "guards", "facades", "harden", "records", "scope", "sizes", "worker")
    folder = Path(punie_cli.sandbox.__file__).parent
    missing = {text for name in modules for text in messages(folder / f"{name}.py") if text not in page}
    assert missing == ELSEWHERE
