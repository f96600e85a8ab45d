"""The contract with pytest: real runs in real environments; a stand-in for what pytest should never do."""

import sys
from pathlib import Path
from typing import Any

import pytest

from punie_cli.approvals import Decision, Question, no_terminal
from punie_cli.builtins.registry import Outcome, Registry
from punie_cli.workspace import Workspace

registry = Registry()
FIELDS = ["errors", "failed", "failures", "passed", "skipped"]


@pytest.fixture(autouse=True)
def no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """punie's own interpreter, and quick starts: plugins of this environment are no part of the contract."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)


async def run_tests(root: Path, path: str = ".", **settings: Any) -> Outcome:
    return await registry.call("test", {"path": path}, Workspace(root, no_terminal(frozenset({"run"})), **settings))


def write(root: Path, **files: str) -> Path:
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    # Keeps pytest from a configuration above, and its plugins for asyncio from warnings.
    (root / "pytest.ini").write_text("[pytest]\naddopts = -p no:asyncio -p no:hypothesispytest\n")
    return root


def tree(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*"))


async def test_pass(tmp_path: Path) -> None:
    root = write(tmp_path / "w", test_a="import pytest\ndef test_a(): pass\n@pytest.mark.skip\ndef test_b(): pass\n")
    before = tree(root)
    outcome = await run_tests(root)
    fields = {
        "success": True,
        "passed": 1,
        "failed": 0,
        "errors": 0,
        "skipped": 1,
        "failures": [],
        "note": None,
        "tool_error": None,
    }
    assert (outcome.ok, outcome.error, outcome.result) == (True, None, fields)
    assert outcome.wire == {"$record": "TestResult", "fields": fields, "text": "1 passed, 1 skipped", "blocked": {}}
    assert tree(root) == before


FAILING = """\
import pytest
from shop import total

def helper(value):
    raise ValueError(f"no {value}\\nat all")

def test_ok():
    assert total([1, 2]) == 3

def test_sum():
    assert total([1]) == 2, "one item"

class TestCart:
    @pytest.mark.parametrize("n", [1, 2])
    def test_n(self, n):
        assert total([n]) == 1

    def test_helper(self):
        helper(3)

@pytest.fixture
def broken():
    raise RuntimeError("no database")

def test_setup(broken):
    pass
"""


async def test_failures(tmp_path: Path) -> None:
    """All kinds in one run: failed tests, a fixture, a file that cannot be imported, one that is no Python."""
    root = write(
        tmp_path / "w",
        shop="def total(items):\n    return sum(items)\n",
        tests__test_cart=FAILING,
        tests__test_gone="import nothing_there\n",
        tests__test_syntax="x = 1\ndef f(:\n",
    )
    outcome = await run_tests(root)
    failures = [
        ("TestCart::test_n[2]", "tests/test_cart.py", 16, "assert 2 == 1\n +  where 2 = total([2])"),
        ("TestCart::test_helper", "tests/test_cart.py", 5, "ValueError: no 3\nat all"),
        ("test_sum", "tests/test_cart.py", 11, "AssertionError: one item\nassert 1 == 2\n +  where 1 = total([1])"),
        ("test_setup", "tests/test_cart.py", 23, 'failed on setup with "RuntimeError: no database"'),
        ("", "tests/test_gone.py", 1, "ModuleNotFoundError: No module named 'nothing_there'"),
        ("", "tests/test_syntax.py", 2, "SyntaxError: invalid syntax"),
    ]
    failures.sort(key=lambda failure: failure[1:3])
    assert outcome.ok is True
    assert outcome.result == {
        "success": False,
        "passed": 2,
        "failed": 3,
        "errors": 3,
        "skipped": 0,
        "failures": [{"test": t, "file": f, "line": n, "message": m} for t, f, n, m in failures],
        "note": None,
        "tool_error": None,
    }
    assert outcome.wire["text"].splitlines()[:3] == [
        "3 failed, 3 errors, 2 passed",
        "tests/test_cart.py:5: TestCart::test_helper: ValueError: no 3",
        "tests/test_cart.py:11: test_sum: AssertionError: one item",
    ]
    one = await run_tests(root, "tests/test_cart.py::TestCart::test_n[2]")
    assert one.wire["text"] == "1 failed, 0 passed\ntests/test_cart.py:16: TestCart::test_n[2]: assert 2 == 1"


async def test_paths_are_relative_to_the_workspace(tmp_path: Path) -> None:
    root = write(tmp_path / "w", test_a="import pathlib\ndef test_a(): pathlib.Path('x.csv').absolute().read_text()\n")
    (failure,) = (await run_tests(root)).result["failures"]
    assert (failure["file"], failure["line"]) == ("test_a.py", 2)
    assert failure["message"] == "FileNotFoundError: [Errno 2] No such file or directory: 'x.csv'"


async def test_no_tests(tmp_path: Path) -> None:
    outcome = await run_tests(write(tmp_path / "w", app="x = 1\n"))
    assert (outcome.ok, outcome.result["success"], outcome.result["note"]) == (True, False, "no test was run")
    assert outcome.wire["text"] == "0 passed\n(no test was run)"


@pytest.mark.parametrize(
    ("files", "path", "tool_error"),
    [
        (
            {"conftest": "1 / 0\n", "test_a": "def test_a(): pass\n"},
            ".",
            "ImportError while loading conftest 'conftest.py'; ZeroDivisionError: division by zero",
        ),
        ({"test_a": "import pytest\ndef test_a(): pytest.exit('enough')\n"}, ".", "_pytest.outcomes.Exit: enough"),
        (
            {"test_a": "import os\ndef test_a(): os._exit(0)\n"},
            ".",
            "pytest ended with exit code 0 and without a report",
        ),
        ({"test_a": "import os\ndef test_a(): os.abort()\n"}, ".", "pytest ended with signal 6"),
        (
            {"test_a": "def test_a(): pass\n"},
            "test_a.py::test_b",
            "not found: test_a.py::test_b",
        ),
        (
            {"conftest": "def pytest_runtestloop(): raise KeyError('x')\n", "test_a": "def test_a(): pass\n"},
            ".",
            "KeyError: 'x'",
        ),
    ],
)
async def test_a_run_that_ended_early_is_never_clean(
    tmp_path: Path, files: dict[str, str], path: str, tool_error: str
) -> None:
    outcome = await run_tests(write(tmp_path / "w", **files), path)
    assert (outcome.ok, outcome.error, outcome.result["success"]) == (False, None, False)
    assert outcome.result["tool_error"] == tool_error
    assert outcome.wire["text"] == f"tests did not run: {tool_error}"
    assert sorted(outcome.wire["blocked"]) == FIELDS


async def test_an_option_that_pytest_does_not_know(tmp_path: Path) -> None:
    root = write(tmp_path / "w", test_a="def test_a(): pass\n")
    (root / "pytest.ini").write_text("[pytest]\naddopts = --no-such-flag\n")
    outcome = await run_tests(root)
    assert outcome.result["tool_error"] == "unrecognized arguments: --no-such-flag"


async def test_exit_code_1_without_a_failure_is_not_clean(tmp_path: Path) -> None:
    conftest = "def pytest_sessionfinish(session):\n    print('\\ncoverage too low')\n    session.exitstatus = 1\n"
    outcome = await run_tests(write(tmp_path / "w", conftest=conftest, test_a="def test_a(): pass\n"))
    assert (outcome.ok, outcome.result["success"], outcome.result["passed"]) == (True, False, 1)
    assert outcome.wire["text"] == "1 passed\n(pytest ended with exit code 1: coverage too low)"


async def test_a_run_that_takes_too_long_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("punie_cli.builtins.tests.TIMEOUT_S", 0.5)
    outcome = await run_tests(write(tmp_path / "w", test_a="import time\ntime.sleep(600)\n"))
    assert outcome.result["tool_error"] == "pytest took longer than 0.5 s"


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("test_cart.py", "FileNotFoundError", "no file or folder 'test_cart.py'; did you mean 'tests/test_cart.py'?"),
        ("README.md", "ValueError", "README.md is not a Python file"),
        ("/etc", "PermissionError", "'/etc' is outside the workspace"),
    ],
)
async def test_what_is_not_run(tmp_path: Path, path: str, kind: str, message: str) -> None:
    root = write(tmp_path / "w", tests__test_cart="")
    (root / "README.md").write_text("")
    outcome = await run_tests(root, path)
    assert (outcome.ok, outcome.result, outcome.error) == (False, None, {"kind": kind, "message": message})


async def test_names_like_options_are_paths(tmp_path: Path) -> None:
    root = write(tmp_path / "w", **{"-x__test_a": "def test_a(): pass\n", "@y__test_b": "def test_b(): assert 0\n"})
    assert (await run_tests(root, "-x")).wire["text"] == "1 passed"
    assert (await run_tests(root, "@y")).result["failed"] == 1


# Approval


async def test_refused_without_a_terminal(tmp_path: Path) -> None:
    root = write(tmp_path / "w", tests__test_a="open('ran', 'w')\n")
    outcome = await registry.call("test", {"path": "tests"}, Workspace(root))
    assert outcome.error == {
        "kind": "PermissionError",
        "message": "refused: run test tests (nobody at the terminal; run again with --allow run)",
    }
    assert outcome.approval is not None
    assert (outcome.approval.args, outcome.approval.decision) == ({"path": "tests"}, "refused")
    assert not (root / "ran").exists()


async def test_the_question_shows_the_exact_command(tmp_path: Path) -> None:
    root = write(tmp_path / "w", test_a="import sys\ndef test_a(): assert sys.argv[1:] == 0\n")
    asked: list[Question] = []

    async def person(question: Question) -> Decision:
        asked.append(question)
        return Decision(True, "person")

    outcome = await registry.call("test", {"path": "test_a.py"}, Workspace(root, person))
    (question,) = asked
    report = question.summary.partition("--junitxml=")[2].partition(" ")[0]
    assert question == Question(
        "test",
        {"path": "test_a.py"},
        f"run {sys.executable} -m pytest -q --color=no --tb=short --continue-on-collection-errors "
        f"-p no:cacheprovider -o junit_family=xunit1 --rootdir={root} --junitxml={report} ./test_a.py",
    )
    assert not Path(report).is_relative_to(root) and not Path(report).parent.exists()
    assert outcome.result["failures"][0]["message"].startswith("AssertionError: assert ['-q', '--color=no', ")


# Which Python


def environment(folder: Path, script: str) -> Path:
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    (folder / "pyvenv.cfg").write_text("")
    return folder


async def test_the_environment_of_the_project_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = "import os\ndef test_a(): assert (os.environ['VIRTUAL_ENV'], os.environ['PATH'].split(':')[0]) == 0\n"
    root = write(tmp_path / "w", test_a=check)
    active = environment(tmp_path / "active", f'exec {sys.executable} "$@"')
    monkeypatch.setenv("VIRTUAL_ENV", str(active))

    async def used(**settings: Any) -> str:
        return (await run_tests(root, **settings)).result["failures"][0]["message"].partition("\n")[0]

    assert await used() == f"AssertionError: assert ('{active}', '{active}/bin') == 0"
    environment(root / ".venv", f'exec {sys.executable} "$@"')
    assert await used() == "AssertionError: assert ('.venv', '.venv/bin') == 0"
    assert await used(python=active) == f"AssertionError: assert ('{active}', '{active}/bin') == 0"


async def test_an_environment_without_pytest(tmp_path: Path) -> None:
    root = write(tmp_path / "w", test_a="def test_a(): pass\n")
    environment(root / ".venv", f"echo '{sys.executable}: No module named pytest' >&2; exit 1")
    outcome = await run_tests(root)
    assert outcome.result["tool_error"] == (
        ".venv has no pytest; install it with: uv pip install --python .venv pytest"
    )


async def test_an_environment_without_python(tmp_path: Path) -> None:
    root = write(tmp_path / "w")
    python = environment(root / ".venv", "") / "bin" / "python"
    python.unlink()
    outcome = await run_tests(root)
    assert outcome.result["tool_error"] == f"{python} cannot be run: No such file or directory"


async def test_pytest_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "w")
    error = "pytest was not found; install it with: uv pip install pytest"
    assert (await run_tests(root, missing=["pytest"])).result["tool_error"] == error
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    outcome = await run_tests(root)
    assert (outcome.ok, outcome.approval, outcome.result["tool_error"]) == (False, None, error)


async def test_variables_of_the_user_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "w", test_a="import os\ndef test_a(): assert 'SECRET_TOKEN' not in os.environ\n")
    for name, value in {"PYTEST_ADDOPTS": "--collect-only", "PYTEST_PLUGINS": "nothing", "SECRET_TOKEN": "x"}.items():
        monkeypatch.setenv(name, value)
    assert (await run_tests(root)).wire["text"] == "1 passed"


@pytest.mark.parametrize(
    ("report", "code", "tool_error"),
    [
        ("no xml", 0, "pytest ended with exit code 0 and without a report"),
        ("", 1, "pytest ended with exit code 1 and without a report"),
        ("<testsuites/>", 3, "pytest ended with exit code 3"),
    ],
)
async def test_what_pytest_should_never_do(tmp_path: Path, report: str, code: int, tool_error: str) -> None:
    root = write(tmp_path / "w")
    script = 'for word in "$@"; do case $word in --junitxml=*) echo "$REPORT" > "${word#--junitxml=}";; esac; done'
    environment(root / ".venv", f"REPORT='{report}'; {script}; exit {code}")
    outcome = await run_tests(root)
    assert (outcome.result["success"], outcome.result["tool_error"]) == (False, tool_error)
