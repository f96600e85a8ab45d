"""Checks asked for in few words that cannot be done as asked: a tool is not installed, a path is not there."""

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, count, intent
from punie_cli.rows.intents.asking import TYPE_COUNT, TYPES, TYPES_ALL, TYPES_OK, place, terse
from punie_cli.rows.intents.asking_lint import LINT_ALL, LINT_COUNT, LINT_OK, LINTS
from punie_cli.rows.intents.asking_tests import TESTS, TESTS_ALL
from punie_cli.rows.intents.checks import findings
from punie_cli.rows.intents.lints import lint_findings
from punie_cli.rows.intents.paths import absent, meant, module, refused, shown, styled, suggested, tested
from punie_cli.rows.intents.testing import told_results
from punie_cli.rows.project import Project

# Wordings, the program, and what an answer says was not done; {} is the path.
_TYPES = (
    (TYPES, 'print(typecheck("{}"))'),
    (TYPES_OK, 'result = typecheck("{}")\nprint(result.success, result.error_count)'),
    (TYPE_COUNT, 'print(typecheck("{}").error_count)'),
)
_LINTS = (
    (LINTS, 'print(lint("{}"))'),
    (LINT_OK, 'result = lint("{}")\nprint(result.success, result.count)'),
    (LINT_COUNT, 'print(lint("{}").count)'),
)
_TESTS = ((TESTS, 'print(test("{}"))'),)


def _reason(output: Message, mark: str) -> str:
    """Why a tool did not run, from what was printed or raised."""
    reason = (output.error or output.text).partition(mark)[2].partition(" (line")[0].strip()
    if not reason:
        raise Unsuitable
    return reason


def _one(
    rng: Voice, kinds: tuple[tuple[Forms, str], ...], everything: tuple[Forms, str], path: str
) -> tuple[Forms, str, str]:
    """Wordings, program and path: mostly of the first kind, sometimes of the whole project."""
    roll = rng.random()
    if roll < 0.2:
        return *everything, "."
    forms, code = kinds[0] if roll < 0.6 else rng.choice(kinds)
    return forms, code.format(path), path


@intent("asking", 1.5, missing=("ty",))
def asked_without_ty(project: Project, rng: Voice) -> Script:
    path = place(project, rng, module(project, rng))
    forms, code, path = _one(rng, _TYPES, (TYPES_ALL, "print(typecheck())"), path)
    yield terse(rng, forms, path=path)
    result = yield program(code)
    yield answer(f"The type check of {shown(path)} did not run: {_reason(result, 'check failed: ')}.")


@intent("asking", 1.5, missing=("ruff",))
def asked_without_ruff(project: Project, rng: Voice) -> Script:
    path = place(project, rng, styled(project, rng))
    forms, code, path = _one(rng, _LINTS, (LINT_ALL, "print(lint())"), path)
    yield terse(rng, forms, path=path)
    result = yield program(code)
    yield answer(f"The lint of {shown(path)} did not run: {_reason(result, 'lint failed: ')}.")


@intent("asking", 1.2, missing=("pytest",))
def asked_without_pytest(project: Project, rng: Voice) -> Script:
    forms, code, path = _one(rng, _TESTS, (TESTS_ALL, "print(test())"), tested(project, rng))
    yield terse(rng, forms, path=path)
    result = yield program(code)
    yield answer(f"The tests of {shown(path)} did not run: {_reason(result, 'did not run: ')}.")


@intent("asking", 0.8, refused=True)
def asked_tests_refused(project: Project, rng: Voice) -> Script:
    forms, code, path = _one(rng, _TESTS, (TESTS_ALL, "print(test())"), tested(project, rng))
    yield terse(rng, forms, path=path)
    result = yield program(code)
    yield answer(told_results(result, shown(path)))


def _misspelt(rng: Voice, path: str) -> str:
    """A path with two letters of its last name the other way round, one left out, or one twice."""
    outer, mark, base = path.rpartition("/")
    stem, dot, ending = base.partition(".")
    if len(stem) < 4:
        raise Unsuitable
    i = rng.randrange(1, len(stem) - 1)
    wrong = rng.choice([
        stem[:i] + stem[i + 1] + stem[i] + stem[i + 2 :],
        stem[:i] + stem[i + 1 :],
        stem[:i] + stem[i] + stem[i:],
    ])  # fmt: skip
    return outer + mark + wrong + dot + ending


@intent("asking", 3, alone=True)
def asked_nearly(project: Project, rng: Voice) -> Script:
    """The path is not there, but the error names one like it: that one is checked."""
    kind = rng.choice(["types", "types", "lint", "lint", "tests"])
    pick = {"types": module, "lint": styled, "tests": tested}[kind]
    path = project.package if kind != "tests" and rng.random() < 0.3 else pick(project, rng)
    base = path.rpartition("/")[2]
    wrong = base if "/" in path and rng.random() < 0.5 else _misspelt(rng, path)
    if wrong in project.files or base == "__init__.py":
        raise Unsuitable
    forms, code = {"types": rng.choice(_TYPES), "lint": rng.choice(_LINTS), "tests": _TESTS[0]}[kind]
    yield terse(rng, forms, path=wrong)
    result = yield program(code.format(wrong))
    if meant(result) != path:
        raise Unsuitable
    result = yield program(code.format(path))
    told = {"types": findings, "lint": lint_findings, "tests": told_results}[kind]
    thing = {"types": "type error", "lint": "lint finding", "tests": "failure"}[kind]
    if forms in (TYPES, LINTS, TESTS):
        yield answer(told(result, path))
    elif forms in (TYPE_COUNT, LINT_COUNT):
        yield answer(f"{path} has {count(int(result.text), thing)}.")
    else:
        success, number = result.text.split()
        yes = "Yes" if success == "True" else "No"
        yield answer(f"{yes}, {path} has {count(int(number), thing)}.")


@intent("asking", 2, alone=True)
def asked_nowhere(project: Project, rng: Voice) -> Script:
    """The path is not there, and nothing is like it."""
    path = absent(project, rng)
    kinds, done = rng.choice([(_TYPES, "checked"), (_LINTS, "linted"), (_TESTS, "tested")])
    if kinds is _TESTS:
        # What is to be run must look like tests: a script would be run by a command.
        path = f"{rng.choice(['tests/', ''])}test_{names.module(rng)}.py"
    forms, code = rng.choice(kinds)
    yield terse(rng, forms, path=path)
    result = yield program(code.format(path))
    if not result.error or refused(result) or suggested(result):
        raise Unsuitable
    yield answer(f"There is no {path} in this project, so nothing was {done}.")
