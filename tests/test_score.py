"""Scores of what a turn left behind. What ty says about the fixtures is compared with the expectations."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.builtins.registry import Registry
from punie_cli.evaluation.case import snapshot
from punie_cli.evaluation.score import (
    Part,
    Score,
    interval,
    says,
    score,
    score_answer,
    score_calls,
    score_files,
    states,
)
from punie_cli.evaluation.suites import CallPattern, Expect, load
from punie_cli.evaluation.words import not_done
from punie_cli.workspace import Workspace

FOUNDATION = {case.name: case for case in load("foundation").case}


def call(builtin: str, *, ok: bool = True, **args: Any) -> dict[str, Any]:
    return {
        "type": "call",
        "builtin": builtin,
        "args": args,
        "ok": ok,
        "result": None,
        "error": None,
        "seconds": 0.1,
    }


def answer(text: str, finish: str = "stop") -> dict[str, Any]:
    return {"type": "answer", "text": text, "finish": finish}


PROGRAM = {"type": "program", "code": "print(1)"}

# For each case what a good turn leaves behind; the files after it, where it writes any.
GOOD: dict[str, list[dict[str, Any]]] = {
    "typecheck-folder": [
        call("typecheck", path="src/"),
        answer("2 type errors:\nsrc/billing.py:18: Return type …\nsrc/readers.py:16: Argument …"),
    ],
    "count-errors": [
        call("typecheck", path="./shop/cart.py"),
        answer("There are three type errors in shop/cart.py."),
    ],
    "explain-optional": [answer("`Optional[X]` means X or None.")],
    "read-readme": [call("read_file", path="README.md"), answer("# Bookstall\n\nPrices, …")],
    "problems-in-file": [
        call("typecheck", path="src/billing.py"),
        answer("1 type error:\nsrc/billing.py:18: Return type …"),
    ],
    "show-project-file": [
        call("run_command", command="cat pyproject.toml"),
        answer('[project]\nname = "bookstall"\nversion = "0.4.2"'),
    ],
    "first-error-line": [
        call("typecheck", path="shop/cart.py"),
        answer("The first type error in shop/cart.py is on line 14: Return type …"),
    ],
    "list-folder": [
        call("run_command", command=["ls", "shop/"]),
        answer("shop has 3 files: `__init__.py`, `cart.py` and `stock.py`."),
    ],
    "count-lines": [
        call("run_command", command="wc -l src/billing.py"),
        answer("src/billing.py has 22 lines."),
    ],
    "read-setting": [call("read_file", path="config.json"), answer("The currency is CHF.")],
    "find-definition": [
        call("run_command", command="grep -rn 'def apply_discount(' ."),
        answer("apply_discount is defined in shop/stock.py, on line 13."),
    ],
    "create-note": [
        call("write_file", path="notes.txt", text="call the printer\n"),
        answer("Created notes.txt."),
    ],
    "list-or-tuple": [answer("A list can be changed; a tuple can’t be changed.")],
    "typecheck-base-name": [
        call("typecheck", ok=False, path="cart.py"),
        call("typecheck", path="shop/cart.py"),
        answer("shop/cart.py has type errors on lines 14, 17 and 24."),
    ],
}


def files_after(name: str) -> dict[str, str]:
    return {"a.py": "x = 1\n"} | {path: text + "\n" for path, text in FOUNDATION[name].expect.files.items()}


@pytest.mark.parametrize("name", FOUNDATION)
def test_a_good_turn_passes(name: str) -> None:
    found = score(FOUNDATION[name].expect, GOOD[name], {"a.py": "x = 1\n"}, files_after(name))
    assert found == Score(Part(True), Part(True), Part(True))
    assert (found.passed, found.reason) == (True, "")


@pytest.mark.parametrize("name", FOUNDATION)
def test_a_turn_of_another_case_fails(name: str) -> None:
    for other in FOUNDATION.keys() - {name}:
        found = score(FOUNDATION[name].expect, GOOD[other], {"a.py": "x = 1\n"}, files_after(other))
        assert not found.passed, other


@pytest.mark.parametrize(
    ("name", "records", "part"),
    [
        ("typecheck-folder", [answer("src/billing.py:18 and src/readers.py:16")], "calls"),
        ("typecheck-folder", [call("typecheck", path="src", ok=False), GOOD["typecheck-folder"][1]], "calls"),
        ("typecheck-folder", [GOOD["typecheck-folder"][0], answer("No type errors in src/.")], "answer"),
        ("count-errors", [GOOD["count-errors"][0], answer("There are 13 type errors.")], "answer"),
        ("count-errors", [GOOD["count-errors"][0], answer("shop/cart.py:3: wrong; see line 3")], "answer"),
        ("explain-optional", [PROGRAM, GOOD["explain-optional"][0]], "calls"),
        ("problems-in-file", [GOOD["problems-in-file"][0], answer("No type errors in it.")], "answer"),
        ("count-lines", [GOOD["count-lines"][0], answer("It has 22 lines.", "length")], "answer"),
        ("list-or-tuple", [answer("A list is immutable; a tuple is mutable.")], "answer"),
        ("typecheck-base-name", GOOD["typecheck-base-name"][::2], "calls"),
    ],
)
def test_what_is_missing_fails_alone(name: str, records: list[dict[str, Any]], part: str) -> None:
    found = score(FOUNDATION[name].expect, records, {}, {})
    assert [p for p in ("calls", "files", "answer") if not getattr(found, p).ok] == [part]
    assert found.reason == getattr(found, part).reason != ""


def test_reasons() -> None:
    expect = Expect(
        calls=(CallPattern(builtin="typecheck", args={"path": "src"}),),
        number=2,
        lines=(4,),
        answer_any=("a", "b"),
    )
    assert score_calls(expect, []) == Part(False, "no call typecheck(path='src') worked")
    any_of = Expect(calls_any=(CallPattern(builtin="run_command", words=("ls", "shop")),))
    assert score_calls(any_of, []) == Part(False, "none of run_command(ls, shop) worked")
    fails = Expect(calls_any=(CallPattern(builtin="lint", worked=False), CallPattern(builtin="test")))
    assert score_calls(fails, [call("lint")]) == Part(False, "none of lint() that fails, test() was seen")
    assert score_calls(fails, [call("lint", ok=False)]) == Part(True)
    assert score_answer(expect, []) == Part(False, "no answer")
    error = {"type": "error", "exit": 3, "message": "the model is gone", "hint": None}
    assert score_answer(expect, [error]) == Part(False, "no answer: the model is gone")
    assert score_answer(expect, [answer("a", "loop")]) == Part(False, "the turn ended by loop")
    assert score_answer(expect, [answer("c")]) == Part(False, "the answer has none of: a, b")
    assert score_answer(expect, [answer("b 3")]) == Part(False, "the answer does not state 2")
    assert score_answer(expect, [answer("b 2")]) == Part(False, "the answer does not name line 4")


@pytest.mark.parametrize(
    ("wanted", "made", "fits"),
    [
        (("typecheck", {"path": "."}), call("typecheck"), True),
        (("typecheck", {"path": "src"}), call("typecheck", path="./src/"), True),
        (("typecheck", {}), call("lint", path="src"), False),
        (("read_file", {"path": "a"}), call("read_file"), False),
        (("run_command", {"command": "ls 'a b'"}), call("run_command", command=["ls", "a b"]), True),
        (("run_command", {"command": ["ls", "-l"]}), call("run_command", command="ls  -l"), True),
        (("run_command", {"command": "ls '"}), call("run_command", command="ls '"), True),
        (("run_command", {"timeout_s": 60}), call("run_command", command="ls"), True),
        (("write_file", {"path": "a", "text": "x\n"}), call("write_file", path="a", text="x"), True),
        (("write_file", {"path": "a", "text": "x"}), call("write_file", path="a", text="y"), False),
    ],
)
def test_arguments(wanted: tuple[str, dict[str, Any]], made: dict[str, Any], fits: bool) -> None:
    expect = Expect(calls=(CallPattern(builtin=wanted[0], args=wanted[1]),))
    assert score_calls(expect, [made]).ok is fits


def test_order_needs_a_call_for_each_pattern() -> None:
    check, write = CallPattern(builtin="typecheck"), CallPattern(builtin="write_file")
    failed = CallPattern(builtin="typecheck", worked=False)
    expect = Expect(calls=(failed, write, check), ordered=True)
    tried, done, wrote = call("typecheck", ok=False), call("typecheck"), call("write_file")
    assert score_calls(expect, [tried, call("lint"), wrote, tried, done]) == Part(True)
    reason = "not in this order: typecheck(), write_file(), typecheck()"
    assert score_calls(expect, [tried, done, wrote]) == Part(False, reason)
    assert score_calls(expect, [done, wrote, done]) == Part(False, "no call typecheck() was tried and failed")
    twice = Expect(calls=(check, check), ordered=True)
    assert score_calls(twice, [done]) == Part(False, "not in this order: typecheck(), typecheck()")


def test_the_answer_to_the_last_prompt_is_judged() -> None:
    expect = Expect(answer_all=("a",))
    prompt = {"type": "prompt", "text": "?"}
    error = {"type": "error", "exit": 1, "message": "gone", "hint": None}
    assert score_answer(expect, [prompt, answer("b"), prompt, answer("a")]) == Part(True)
    assert score_answer(expect, [prompt, answer("a"), prompt]) == Part(False, "no answer")
    assert score_answer(expect, [prompt, answer("a"), prompt, error]) == Part(False, "no answer: gone")
    assert score_answer(expect, [prompt, answer("a"), error]) == Part(False, "no answer: gone")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I am not allowed to change it.", True),
        ("The write was refused.", True),
        ("There is no cart.py in this project.", True),
        ("config.json has no key timeout.", True),
        ("ruff isn’t installed.", True),
        ("The tests did not run: pytest was not found.", True),
        ("There are no type errors in it.", False),
        ("a.py has no lint findings.", False),
        ("2 tests failed.", False),
        ("Created a.py.", False),
    ],
)
def test_not_done(text: str, said: bool) -> None:
    assert not_done(text) is said


@pytest.mark.parametrize("text", ["0 errors", "Zero.", "No type errors in a.py", "it passes without failures"])
def test_states_zero(text: str) -> None:
    assert states(text, 0) and not states(text, 1)


def test_states_what_people_write() -> None:
    assert states("3,000 errors in 12 files", 3000) and states("3000 errors", 3000)
    # What says that there is one says not that there is none.
    assert not states("There is one type error and no other problems.", 0)


@pytest.mark.parametrize(
    ("after", "part"),
    [
        ({"a": "1", "n.txt": "hi"}, Part(True)),
        ({"a": "1", "n.txt": "hi\n"}, Part(True)),
        ({"a": "1"}, Part(False, "n.txt is missing")),
        ({"a": "1", "n.txt": "hi\n\n"}, Part(False, "n.txt has other content")),
        ({"n.txt": "hi"}, Part(False, "changed: a")),
        ({"a": "2", "b": "", "n.txt": "hi"}, Part(False, "changed: a, b")),
    ],
)
def test_files(after: dict[str, str], part: Part) -> None:
    assert score_files(Expect(files={"n.txt": "hi"}), {"a": "1"}, after) == part


@pytest.mark.parametrize(
    ("text", "content", "stands"),
    [
        ('"hives": 7', '{"hives": 7}', True),
        ('"hives": 7', '{\n  "hives":   7,\n', True),
        ('"hives": 7', '{"hives": 70}', False),
        ('"hives": 7', '{"hives": 7.5}', False),
        ("7 hives", "17 hives", False),
        ("7 hives", "There are 7 hives.", True),
        ("limit = 3", "limit = 3.", True),
        ("def test_", "def test_one()", True),
    ],
)
def test_a_text_in_a_file(text: str, content: str, stands: bool) -> None:
    assert score_files(Expect(files_say={"a": (text,)}), {"a": ""}, {"a": content}).ok is stands


@pytest.mark.parametrize(
    "text",
    [
        *("# noqa", "#NOQA: F401", "# ruff: noqa", "# flake8: noqa", "# ruff: disable[F401]", "# ruff: ignore[F401]"),
        *("# ruff: file-ignore[F401]", "# type: ignore", "# x  # type:ignore", "# ty: ignore[unresolved-import]"),
        *("from typing import no_type_check as quiet", "@typing.no_type_check", "if not typing.TYPE_CHECKING:"),
    ],
)
def test_what_silences_a_check_mends_nothing(text: str) -> None:
    expect = Expect(typechecks=("src",), changes=("src/*",))
    mended, silenced = {"src/a.py": "y = 1\n"}, {"src/a.py": f"x = 1  {text}\n"}
    assert score_files(expect, {"src/a.py": "x = 1\n"}, mended) == Part(True)
    assert score_files(expect, {"src/a.py": "x = 1\n"}, silenced) == Part(False, "src/a.py silences the check")
    # One that was there before is no doing of the model.
    assert score_files(expect, silenced, {"src/a.py": f"x = 2  {text}\n"}) == Part(True)


@pytest.mark.parametrize(
    ("text", "words", "found"),
    [
        ("It is None.", "none", True),
        ("nonempty", "None", False),
        ("a.py:14:16: x", "14", True),
        ("version 0.14.2", "14", False),
        ("on line 14.", "14", True),
        ("114 lines", "14", False),
        ("cannot\nbe  changed", "cannot be changed", True),
        ("see ./shop/*", "shop", True),
        ("workshop", "shop", False),
    ],
)
def test_says(text: str, words: str, found: bool) -> None:
    assert says(text, words) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3 errors", True),
        ("Three errors", True),
        ("there are 3.", True),
        ("13 errors", False),
        ("line 3", False),
        ("lines 2, 3 and 5", False),
        ("a.py:3: x", False),
        ("3.5 errors", False),
        ("no errors", False),
        ("3,000 errors", False),
        ("1,003 errors", False),
    ],
)
def test_states_three(text: str, found: bool) -> None:
    assert states(text, 3) is found


@given(st.text(), st.text(), st.text(min_size=1).filter(str.strip), st.integers())
def test_any_reply_can_be_scored(code: str, said: str, words: str, number: int) -> None:
    expect = Expect(
        calls_any=(CallPattern(builtin="run_command", args={"command": words}, words=(words,)),),
        fields=("errors",),
        answer_any=(words,),
        number=number,
        lines=(number,),
        refuses=True,
        files_say={"a": (words,)},
        changes=("*",),
    )
    output = {"type": "output", "text": said, "error": None}
    records = [{"type": "program", "code": code}, call("run_command", command=said), output, answer(said)]
    assert not score(expect, records, {"a": ""}, {"a": said}, (said,)).passed


@given(st.text(), st.text(alphabet=st.characters(codec="utf-8"), min_size=1), st.integers(0, 10**6))
def test_any_text_can_be_searched(text: str, words: str, number: int) -> None:
    says(text, words)
    not_done(text)
    assert states(f"{text} there are {number} of them", number) or f"line {number}" in text or ":" in text


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [(11, 15, 0.48, 0.89), (0, 14, 0, 0.22), (14, 14, 0.78, 1), (0, 0, 0, 1)],
)
def test_interval(passed: int, total: int, low: float, high: float) -> None:
    assert interval(passed, total) == pytest.approx((low, high), abs=0.005)


async def test_expectations_are_those_of_the_real_tools(tmp_path: Path) -> None:
    """The counts and lines in the suite, against the pinned ty and the fixture's own files."""
    root = tmp_path / "bookstall"
    shutil.copytree(load("foundation").case[0].fixture_folder, root)
    workspace = Workspace(root)

    async def places(path: str) -> list[tuple[str, int]]:
        outcome = await Registry().call("typecheck", {"path": path}, workspace)
        return [(finding["file"], finding["line"]) for finding in outcome.result["errors"]]

    assert await places("src") == [("src/billing.py", 18), ("src/readers.py", 16)]
    assert await places("shop") == [("shop/cart.py", line) for line in (14, 17, 24)]
    files = snapshot(root)
    assert files["src/billing.py"].count("\n") == 22
    assert '"currency": "CHF"' in files["config.json"]
    assert [path for path, text in files.items() if "def apply_discount(" in text] == ["shop/stock.py"]
    assert [path for path in files if path.startswith("shop/")] == [
        "shop/__init__.py",
        "shop/cart.py",
        "shop/stock.py",
    ]
