"""Programs looked at before they run: what is certain to fail is told in the words of the run, all else runs."""

import asyncio
import json
import random
import re
from pathlib import Path

import pytest

from punie_cli.agent import precheck
from punie_cli.agent.execute import run_program
from punie_cli.agent.precheck import Precheck
from punie_cli.builtins.registry import Registry
from punie_cli.paths import shipped
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace

REGISTRY = Registry()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "app.py").write_text("x: int = 'a'\n")
    return Workspace(tmp_path)


@pytest.fixture(autouse=True)
def _any_speed(monkeypatch) -> None:
    monkeypatch.setattr(precheck, "TIMEOUT_S", 60.0)


CERTAIN = [
    "result = typecheck('app.py')\nprint(result.errs)",
    "for e in typecheck('app.py').errors:\n    print(e.file, e.lineno)",
    "print(read_file('app.py').text)",
    "print(typecheck('app.py').errors.line)",
    "print(typecheck('app.py').success.x)",
    "typecheck('app.py', 'b')",
    "typecheck(folder='app.py')",
    "read_file()",
    "read_file('app.py', path='b')",
    "read_file(3)",
    "read_file(None)",
    "read_file(['app.py'])",
    "read_file(typecheck('app.py'))",
    "read_file({'app.py'})",
    "write_file('a', 3)",
    "run_command('ls', timeout_s='3')",
    "x = 'é'; read_file('é', 3)",
    "x = 1\rread_file(3)",
    "print(reslt)",
]


async def test_the_error_is_that_of_the_run(workspace):
    check = Precheck(REGISTRY)
    async with Sandbox(REGISTRY.specs()) as sandbox, await sandbox.turn() as turn:
        for code in CERTAIN:
            seen = await check.look(code, [], workspace)
            ran = (await run_program(code, turn, REGISTRY, workspace)).error
            assert seen is not None, code
            # Where a field is nearly right, it is named beside all that there are.
            assert seen | {"message": re.sub(r"did you mean '\w+'\? it has", "it has", seen["message"])} == ran


@pytest.mark.parametrize(
    "code",
    [
        "print(read_file('app.py'))",
        "result = typecheck('app.py')\nprint(result.note.strip())",  # text or None
        "result = typecheck('app.py')\nprint(result['errs'])",
        "if hasattr(result := typecheck('app.py'), 'errs'):\n    print(result.errs)",
        "try:\n    print(result)\nexcept NameError:\n    result = 1",
        "from contextlib import suppress\nwith suppress(AttributeError):\n    print(typecheck('app.py').errs)",
        "def later():\n    return helper() + 1",
        "def read(path: Path) -> Text:\n    return read_file(path)\nprint(read('app.py'))",
        "def test(number):\n    return number\nprint(test(3, 4))",
        "from pathlib import PurePath\nprint(read_file(PurePath('app.py')))",
        "run_command(('ls', 'app.py'))",
        "words = ['ls', 1]\nrun_command(words[:1])",
        "value = 1 if typecheck().success else 'a'\nread_file(value)",
        "print(json.dumps({}), PolicyError)",
        "import json\nprint(json.load)",
        "open('app.py')",
        "exit()\nprint(unknown)",
        "print(",
        "read_file(*['a', 'b'])",
        "async def f(): pass",
        "class Finding:\n    pass\nprint(Finding().lineno)",
    ],
)
async def test_what_is_not_certain_runs(code, workspace):
    assert await Precheck(REGISTRY).look(code, [], workspace) is None


async def test_names_of_earlier_programs_are_known_and_lines_are_those_of_the_last(workspace):
    earlier = ["result = typecheck('app.py')\nfor e in result.errors:\n    pass", "x = (", "def helper(): return 1"]
    check = Precheck(REGISTRY)
    assert await check.look("print(result.errors, e.line, helper())", earlier, workspace) is None
    assert await check.look("print(1)\nprint(e.lineno)", earlier, workspace) == {
        "kind": "AttributeError",
        "message": "Finding has no field 'lineno'; did you mean 'line'? "
        "it has: file, line, column, code, message, severity",
        "line": 2,
    }
    # An error of an earlier program is not told again.
    assert await check.look("print(result.errors)", ["result = typecheck()\nresult.errs"], workspace) is None
    # Another kind of result under the same name.
    reused = ["result = lint('app.py')\nprint(result.findings)"]
    assert await check.look("result = typecheck('app.py')\nprint(result.errors)", reused, workspace) is None


async def test_without_a_ty_that_works_programs_run(workspace, tmp_path, caplog):
    code = "print(typecheck().errs)"
    assert await Precheck(REGISTRY).look(code, [], Workspace(workspace.root, missing=["ty"])) is None
    broken = tmp_path / "ty"
    broken.write_text("#!/bin/sh\necho broken >&2\nexit 101\n")
    broken.chmod(0o755)
    assert await Precheck(REGISTRY).look(code, [], Workspace(workspace.root, ty=broken)) is None
    assert await Precheck(REGISTRY).look(code, [], Workspace(workspace.root, ty=tmp_path / "none")) is None
    assert "broken" in caplog.text and "cannot be run" in caplog.text


async def test_a_slow_ty_is_cut_off(workspace, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(precheck, "TIMEOUT_S", 0.2)
    slow = tmp_path / "ty"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    assert await Precheck(REGISTRY).look("print(typecheck().errs)", [], Workspace(workspace.root, ty=slow)) is None
    assert "took longer than 0.2 s" in caplog.text


def turns() -> list[list[str]]:
    """The programs of each turn of phase 24 that has one ty reads."""
    found = []
    for path in sorted((shipped("rows") / "phase-24").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            programs: list[str] = []
            for message in json.loads(line)["messages"]:
                if message["role"] == "user":
                    programs = []
                    found.append(programs)
                elif message["role"] == "program":
                    programs.append(message["text"])
    return [programs for programs in found if programs]


async def test_no_program_of_the_rows_is_stopped(workspace):
    """Their programs ran, and none of them failed in a way that ty can see."""
    sample = random.Random(24).sample(turns(), 150)
    check, free = Precheck(REGISTRY), asyncio.Semaphore(3)

    async def last_of(programs: list[str]) -> object:
        async with free:
            return await check.look(programs[-1], programs[:-1], workspace)

    assert set(await asyncio.gather(*map(last_of, sample))) == {None}
