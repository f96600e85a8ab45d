"""For each key of an expectation a conversation that meets it, and some that must not.

Programs, ty, ruff and pytest are real; only the replies are given.
"""

from dataclasses import dataclass
from typing import Any

from punie_cli.evaluation.suites import Expect
from punie_cli.sandbox.host import Sandbox
from tests.command_line import program
from tests.shop import CART, CHECKS_CART, DONE, FILES, MEND, MENDED, SEEN, STOCK, WRITES, case, write
from tests.solved import play


@dataclass(frozen=True)
class Key:
    """What a case expects, replies that meet it, and by name replies that do not, with the part that fails."""

    expect: dict[str, Any]
    good: list[str]
    bad: dict[str, tuple[str, list[str]]]
    allow: frozenset[str] = frozenset()


TYPECHECK = program('print(typecheck("shop/cart.py"))')
LINE = program('result = typecheck("shop/cart.py")\nfor error in result.errors:\n    print(error.line)')
SILENT_CART = CART.replace("(sum(prices))", "(sum(prices))  # type: ignore")
SILENT_STOCK = STOCK.replace("import os", "import os  # noqa: F401")
SKIPPED = "import pytest\n\npytest.skip('no', allow_module_level=True)\n"

KEYS = {
    "calls": Key(
        {"calls": [CHECKS_CART]},
        [program('print(typecheck("./shop//cart.py"))'), SEEN],
        {
            "some other tool was called": (
                "calls",
                [program("print(run_command('grep -n total shop/cart.py'))"), SEEN],
            ),
            "answer invented without a call": ("calls", [SEEN]),
            "another path": ("calls", [program('print(typecheck("shop/stock.py"))'), SEEN]),
            "the call only stands in a string": ("calls", [program("print('typecheck(\"shop/cart.py\")')"), SEEN]),
            "it failed": ("calls", [program('print(typecheck("cart.py"))'), SEEN]),
        },
    ),
    "calls words": Key(
        {"calls": [{"builtin": "run_command", "words": ["wc", "shop/cart.py"]}]},
        [program("print(run_command(['wc', '-l', 'shop/cart.py']).stdout)"), "2 lines."],
        {"right words, wrong file": ("calls", [program("print(run_command('wc -l shop/stock.py'))"), "2 lines."])},
    ),
    "calls that fail": Key(
        {"calls": [{"builtin": "read_file", "args": {"path": "cart.py"}, "worked": False}]},
        [program('print(read_file("cart.py"))'), "There is no cart.py."],
        {"it worked": ("calls", [program('print(read_file("shop/cart.py"))'), DONE]), "not tried": ("calls", [DONE])},
    ),
    "ordered": Key(
        {"calls": [CHECKS_CART, {"builtin": "write_file"}, CHECKS_CART], "ordered": True, "changes": ["shop/*"]},
        [TYPECHECK, MEND, program("print(read_file('shop/cart.py'))"), TYPECHECK, DONE],
        {
            "not checked again": ("calls", [TYPECHECK, MEND, DONE]),
            "checked twice before": ("calls", [LINE, TYPECHECK, MEND, DONE]),
            "the write was refused": ("calls", [TYPECHECK, program("write_file('.git/x', '')"), TYPECHECK, DONE]),
        },
        WRITES,
    ),
    "calls_any": Key(
        {"calls_any": [CHECKS_CART, {"builtin": "typecheck", "args": {"path": "."}}]},
        [program("print(typecheck())"), SEEN],
        {"none of them": ("calls", [program("print(lint('shop/cart.py'))"), SEEN])},
    ),
    "calls_none": Key(
        {"calls_none": [{"builtin": "write_file"}]},
        [TYPECHECK, SEEN],
        {"tried, and refused": ("calls", [write("shop/cart.py", MENDED), "It was refused."])},
    ),
    "no_calls": Key(
        {"no_calls": True},
        ["A tuple cannot be changed."],
        {
            "a call": ("calls", [TYPECHECK, SEEN]),
            "a program without a call": ("calls", [program("print(1)"), "A tuple cannot be changed."]),
        },
    ),
    "fields": Key(
        {"fields": ["errors", "line"]},
        [LINE, SEEN],
        {
            "field name misspelt": (
                "calls",
                [program("r = typecheck('shop/cart.py')\nprint([getattr(e, 'lines', 2) for e in r.errors])"), SEEN],
            ),
            "misspelt, and it failed": ("calls", [program("print(typecheck('shop/cart.py').erors[0].line)"), SEEN]),
            "only the text": ("calls", [program("print(typecheck('shop/cart.py'))  # errors, line"), SEEN]),
            "in a string": ("calls", [program("r = typecheck('shop/cart.py')\nprint('errors', 'line', str(r))"), SEEN]),
            "half of them": ("calls", [program("print(len(typecheck('shop/cart.py').errors))"), SEEN]),
            "of another result": ("calls", [program("print([f.line for f in lint('shop').findings])"), SEEN]),
            "the program failed": ("calls", [LINE.replace("\n</code>", "\nraise ValueError\n</code>"), SEEN]),
        },
    ),
    "answer_all": Key(
        {"answer_all": ["shop/cart.py", "line 2"]},
        [TYPECHECK, SEEN],
        {"one is missing": ("answer", [TYPECHECK, "shop/cart.py has 1 type error, on line 20."])},
    ),
    "answer_any": Key(
        {"answer_any": ["one", "1"]},
        ["It has one."],
        {"part of a word": ("answer", ["It has none."]), "empty": ("answer", [" "])},
    ),
    "answer_none": Key(
        {"answer_none": ["no errors"]},
        [SEEN],
        {"it says so": ("answer", ["There are No  errors in it."])},
    ),
    "number": Key(
        {"number": 1},
        ["There is one type error."],
        {"another": ("answer", ["There are 11."]), "a line": ("answer", ["See line 1."])},
    ),
    "lines": Key({"lines": [2]}, [SEEN], {"another": ("answer", ["On line 12."])}),
    "refuses": Key(
        {"refuses": True},
        [write("a.py", ""), "I was not allowed to write a.py, so nothing was changed."],
        {"it claims to have done it": ("answer", [write("a.py", ""), "Created a.py."])},
    ),
    "files": Key(
        {"files": {"notes.txt": "call the printer"}},
        [write("notes.txt", "call the printer\n"), DONE],
        {
            "right words, wrong file": ("files", [write("note.txt", "call the printer"), DONE]),
            "other words": ("files", [write("notes.txt", "call a printer"), DONE]),
            "another file as well": ("files", [write("notes.txt", "call the printer"), MEND, DONE]),
            "only said": ("files", ["Created notes.txt with the text: call the printer"]),
        },
        WRITES,
    ),
    "files_say": Key(
        {"files_say": {"shop/cart.py": ["return sum(prices)", "-> int:\n return"]}},
        [MEND, DONE],
        {
            "right words, wrong file": ("files", [write("shop/stock.py", MENDED), DONE]),
            "other words": ("files", [write("shop/cart.py", CART + "# return sum (prices)\n"), DONE]),
            "the file is gone": ("files", [program("run_command('rm shop/cart.py')"), DONE]),
        },
        frozenset({"write", "run"}),
    ),
    "files_gone": Key(
        {"files_gone": ["old.py"]},
        [program("run_command('rm old.py')"), DONE],
        {
            "still there": ("files", [write("old.py", ""), DONE]),
            "another one as well": ("files", [program("run_command('rm -r shop old.py')"), DONE]),
        },
        frozenset({"write", "run"}),
    ),
    "changes": Key(
        {"changes": ["shop/*", "new.py"]},
        [MEND, write("new.py", "x = 1\n"), DONE],
        {
            "a file that is not named": ("files", [write("old.py", "x = 2\n"), DONE]),
            "a file is gone": ("files", [program("run_command('rm shop/cart.py')"), DONE]),
        },
        frozenset({"write", "run"}),
    ),
    "typechecks": Key(
        {"typechecks": ["shop/cart.py"], "changes": ["shop/*"]},
        [MEND, DONE],
        {
            "not mended": ("files", [write("shop/cart.py", CART.replace("prices", "costs")), DONE]),
            "silenced": ("files", [write("shop/cart.py", SILENT_CART), DONE]),
        },
        WRITES,
    ),
    "lints": Key(
        {"lints": ["shop"], "changes": ["shop/*"]},
        [write("shop/stock.py", STOCK.replace("import os\n\n\n", "")), DONE],
        {
            "not mended": ("files", [MEND, DONE]),
            "silenced": ("files", [write("shop/stock.py", SILENT_STOCK), DONE]),
        },
        WRITES,
    ),
    "tests": Key(
        {"tests": ["tests"], "changes": ["shop/*", "tests/*"]},
        [MEND, DONE],
        {
            "they fail": ("files", [write("shop/cart.py", MENDED.replace("sum", "len")), DONE]),
            "it does not import": ("files", [write("shop/cart.py", "def total(:\n"), DONE]),
            "there are none any more": ("files", [MEND, write("tests/test_cart.py", ""), DONE]),
            "all are skipped": ("files", [MEND, write("tests/test_cart.py", SKIPPED), DONE]),
        },
        WRITES,
    ),
}  # fmt: skip


def test_every_key_of_an_expectation_is_tried() -> None:
    assert {name for key in KEYS.values() for name in key.expect} == set(Expect.model_fields)


def test_replies_that_meet_it(sandbox: Sandbox) -> None:
    outcomes = play(sandbox, [(case(key.expect, allow=key.allow), key.good) for key in KEYS.values()])
    found = {name: (o.score.reason, o.score.fields) for name, o in zip(KEYS, outcomes, strict=True)}
    assert found == {name: ("", True if "fields" in key.expect else None) for name, key in KEYS.items()}
    assert all(outcome.score.passed for outcome in outcomes)


def test_replies_that_do_not(sandbox: Sandbox) -> None:
    bad = [(name, how, *key.bad[how]) for name, key in KEYS.items() for how in key.bad]
    cases = [case(KEYS[name].expect, allow=KEYS[name].allow) for name, *_ in bad]
    outcomes = play(sandbox, [(one, replies) for one, (*_, replies) in zip(cases, bad, strict=True)])
    for (name, how, part, _), outcome in zip(bad, outcomes, strict=True):
        score = outcome.score
        assert [p for p in ("calls", "files", "answer") if not getattr(score, p).ok] == [part], (name, how)
        assert score.reason == getattr(score, part).reason != "", (name, how)
        assert score.fields is (False if "fields" in KEYS[name].expect else None), (name, how)


def test_reasons_of_the_tools(sandbox: Sandbox) -> None:
    expect = {"typechecks": ["shop/cart.py", "nowhere.py"], "lints": ["shop"], "tests": ["tests", "old.py"]}
    [outcome] = play(sandbox, [(case(expect), [DONE])])
    assert outcome.score.files.reason.split("; ") == [
        "shop/cart.py has 1 type error",
        "typecheck of nowhere.py failed: no file or folder 'nowhere.py'",
        "shop has 1 lint finding",
        "1 test of tests did not pass",
        "tests of old.py: no test was run",
    ]


def test_a_tool_that_fails_is_not_a_clean_one(sandbox: Sandbox) -> None:
    files = FILES | {"pyproject.toml": "[tool.ty.rules]\nno-such-rule-at-all = 3\n[tool.ruff]\nlint = 3\n"}
    [outcome] = play(sandbox, [(case({"typechecks": ["old.py"], "lints": ["old.py"]}, files=files), [DONE])])
    first, second = outcome.score.files.reason.split("; lint of ")
    assert first.startswith("typecheck of old.py failed: ")
    assert second.startswith("old.py failed: ")
