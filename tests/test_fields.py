"""Which result fields a program reads: followed through its text, not searched in it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie_cli.evaluation.fields import fields_read


def ran(*programs: str, failed: bool = False) -> list[dict[str, Any]]:
    """The records of one turn with these programs."""
    records: list[dict[str, Any]] = [{"type": "prompt", "text": "do it"}]
    for code in programs:
        error = {"kind": "ValueError", "message": "no", "line": 1} if failed else None
        records += [{"type": "program", "code": code}, {"type": "output", "text": "", "error": error}]
    return records


READ = {
    "on the call itself": ('print(typecheck("src").error_count)', "error_count"),
    "through a name": ('result = typecheck("src")\nprint(result.success)', "success"),
    "through two names": ("a = lint()\nb = a\nprint(b.count)", "count"),
    "index": ("r = typecheck()\nprint(r.errors[0].line)", "errors line"),
    "slice": ("r = typecheck()\nfor e in r.errors[1:]:\n    print(e.line)", "errors line"),
    "index kept": ("r = typecheck()\nfirst = r.errors[0]\nprint(first.message)", "errors message"),
    "loop": ("for error in typecheck().errors:\n    print(error.file, error.line)", "errors file line"),
    "loop over a kept list": ("found = lint().findings\nfor f in found:\n    print(f.code)", "findings code"),
    "list comprehension": ("print([e.line for e in typecheck().errors])", "errors line"),
    "condition of a comprehension": ("print(len([e for e in lint().findings if e.code == 'F401']))", "findings code"),
    "set and dict": ("r = typecheck()\nprint({e.file for e in r.errors})\nx = {e.code: e for e in r.errors}", 
                     "errors file code"),
    "what a comprehension kept": ("late = [e for e in typecheck().errors]\nprint(late[0].column)", "errors column"),
    "two loops in one": ("print([f.line for r in [typecheck('a.py'), typecheck('b.py')] for f in r.errors])",
                         "errors line"),
    "walrus": ("if (r := typecheck()).error_count:\n    print(r.errors)", "error_count errors"),
    "walrus in any": ("if any((hit := e).line for e in typecheck().errors):\n    print(hit.code)", "errors line code"),
    "unpacking": ("first, *rest = typecheck().errors\nprint(first.line)\nfor e in rest:\n    print(e.column)",
                  "errors line column"),
    "pairs": ("a, b = typecheck(), lint()\nprint(a.error_count, b.count)", "error_count count"),
    "next": ("print(next(e for e in typecheck().errors).line)", "errors line"),
    "next with a default": ("e = next(iter(test().failures), None)\nif e:\n    print(e.test)", "failures test"),
    "key": ("print(len(sorted(typecheck().errors, key=lambda e: (e.file, e.line))))", "errors file line"),
    "max": ("print(max(typecheck().errors, key=lambda e: e.line).message)", "errors line message"),
    "sort in place": ("found = list(lint().findings)\nfound.sort(key=lambda f: f.line)", "findings line"),
    "f-string": ("r = test()\nprint(f'{r.passed} of {r.passed + r.failed:>3}')", "passed failed"),
    "enumerate": ("for i, e in enumerate(typecheck().errors, 1):\n    print(i, e.message)", "errors message"),
    "zip": ("for a, b in zip(typecheck('x.py').errors, lint().findings):\n    print(a.severity, b.code)",
            "errors severity findings code"),
    "map and filter": ("print(list(map(lambda e: e.file, filter(lambda e: e.line, typecheck().errors))))",
                       "errors file line"),
    "a function of the program": ("def show(e):\n    print(e.line)\nfor e in typecheck().errors:\n    show(e)",
                                  "errors line"),
    "a function that returns it": ("def look(path):\n    return typecheck(path)\nprint(look('a').warning_count)",
                                   "warning_count"),
    "a generator": ("def all_errors():\n    for p in ['a', 'b']:\n        yield from typecheck(p).errors\n"
                    "for e in all_errors():\n    print(e.line)", "errors line"),
    "append": ("found = []\nfor p in ['a', 'b']:\n    found.append(typecheck(p))\nfor r in found:\n    print(r.files)",
               "files"),
    "extend": ("found = []\nfor p in ['a', 'b']:\n    found += typecheck(p).errors\nprint(found[0].line)",
               "errors line"),
    "a dict by name": ("results = {p: typecheck(p) for p in ['a']}\n"
                       "for p, r in results.items():\n    print(r.success)", "success"),
    "groups": ("by = {}\nfor e in typecheck().errors:\n    by.setdefault(e.file, []).append(e)\n"
               "for file, es in by.items():\n    print(file, es[0].line)", "errors file line"),
    "items set one by one": ("by = {}\nby['a'] = typecheck('a')\nprint(by['a'].error_count)", "error_count"),
    "sum": ("print(sum(typecheck(p).error_count for p in ['a', 'b']))", "error_count"),
    "augmented": ("n = 0\nfor p in ['a']:\n    n += typecheck(p).error_count", "error_count"),
    "either": ("r = typecheck('a') if 1 else lint('a')\nprint(r.success)", "success"),
    "or": ("e = (typecheck().errors or [None])[0]\nprint(e.line if e else 0)", "errors line"),
    "after an if": ("r = None\nif True:\n    r = typecheck()\nprint(r.error_count)", "error_count"),
    "in a try": ("try:\n    r = lint('x')\nexcept FileNotFoundError:\n    r = lint()\nprint(r.fixable)", "fixable"),
    "while": ("todo = list(typecheck().errors)\nwhile todo:\n    print(todo.pop().line)", "errors line"),
    "another name of a builtin": ("check = typecheck\nprint(check('a').error_count)", "error_count"),
    "builtins in a loop": ("for tool in (typecheck, lint):\n    print(tool('a').success)", "success"),
    "imported": ("from itertools import groupby\nfor f, es in groupby(typecheck().errors, key=lambda e: e.file):\n"
                 "    print([e.line for e in es])", "errors file line"),
    "of a module": ("import itertools\nfor e in itertools.chain(typecheck('a').errors, typecheck('b').errors):\n"
                    "    print(e.line)", "errors line"),
    "getattr": ("print(getattr(typecheck(), 'error_count'))", "error_count"),
    "match": ("match typecheck().errors:\n    case [first, *_]:\n        print(first.line)", "errors line"),
    "command": ("r = run_command('ls')\nif r.exit_code == 0:\n    print(r.stdout)", "exit_code stdout"),
    "write": ("print(write_file('a', 'b').created)", "created"),
}  # fmt: skip

NOT_READ = {
    "misspelt": "r = typecheck()\nprint(getattr(r, 'eror_count', 0))\nif hasattr(r, 'errors'):\n    r.error_cuont",
    "a string": "r = typecheck()\nprint('r.errors', \"error_count\")",
    "a comment": "r = typecheck()  # r.errors[0].line\nprint(r)",
    "text of the result": "print(str(typecheck()).count('errors'))",
    "the wrong result": "r = lint()\nif False:\n    print(r.errors)",
    "not of a finding": "r = typecheck()\nif False:\n    print(r.line, r.errors_count)",
    "of something else": "class A:\n    errors = [1]\nprint(A().errors, A.errors)",
    "a name like a field": "errors = typecheck()\nline = 3\nprint(errors, line)",
    "an argument of that name": "def f(line, errors=()):\n    return line\nprint(f(line=1, errors=typecheck()))",
    "a builtin that was replaced": "def lint():\n    return []\nr = lint()\nif False:\n    print(r.findings)",
    "a name that was bound anew": "r = typecheck()\nr = 'text'\nif False:\n    print(r.errors)",
    "a function that never ran": "def f():\n    return typecheck().error_count\nprint(1)",
    "set, not read": "r = typecheck()\nif False:\n    r.errors = []",
    "not Python": "this is not Python .errors",
    "NUL": "typecheck().errors\0",
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_read(name: str) -> None:
    code, fields = READ[name]
    assert fields_read(ran(code)) == set(fields.split())


@pytest.mark.parametrize("name", NOT_READ)
def test_not_read(name: str) -> None:
    assert fields_read(ran(NOT_READ[name])) == set()


def test_names_live_as_long_as_a_turn() -> None:
    one, two = 'result = typecheck("src")', "print(result.error_count)"
    assert fields_read(ran(one, two)) == {"error_count"}
    assert fields_read([*ran(one), *ran(two)]) == set()


def test_a_program_that_failed_does_not_count_but_its_names_live() -> None:
    one = 'result = typecheck("src")\nprint(result.files)\nraise ValueError'
    assert fields_read(ran(one, failed=True)) == set()
    assert fields_read([*ran(one, failed=True), *ran("print(result.files)")[1:]]) == {"files"}


def test_a_program_that_was_never_run_binds_nothing() -> None:
    records = ran('result = typecheck("src")', "print(result.error_count)")
    assert fields_read(records) == {"error_count"}
    records[2] |= {"error": {"kind": "TypeError", "message": "no", "line": 1, "ran": False}}
    assert fields_read(records) == set()


def test_a_program_without_an_output_does_not_count() -> None:
    assert fields_read(ran("print(typecheck().files)")[:2]) == set()


def test_huge_programs_come_to_an_end() -> None:
    functions = "\n".join(f"def f{i}(x):\n    f{i + 1}(x)\n    f{i + 1}(x)" for i in range(60))
    assert fields_read(ran(f"r = typecheck()\nprint(r.files)\n{functions}\nf0(r)")) == {"files"}
    assert fields_read(ran("print(typecheck().files)\n" + "x = [x]\n" * 500 + "(" * 150 + "x" + ")" * 150)) == {"files"}
    assert fields_read(ran("typecheck().files\nprint(" + "-" * 3000 + "1)")) <= {"files"}


TOKENS = st.lists(
    st.sampled_from(
        [*"()[]{}:=,.*+-", "\n", "\n    ", " ", "typecheck", "lint", "r", "e", "errors", "line", "for ", " in ", "if ",
         "lambda ", "def ", "return ", "yield ", "sorted", "next", "while ", "match ", "case ", "with ", " as ", "1",
         "typecheck()", "r = ", "r.errors", "[0]", "print(", ":=", "**", "try:", "except:", "f'{r.files}'", "append"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@settings(deadline=None)
@given(st.one_of(TOKENS, st.text(max_size=40)))
def test_any_text_can_be_followed(code: str) -> None:
    assert fields_read(ran(code, "print(r.errors)")) <= {"errors", "files", "line"}
