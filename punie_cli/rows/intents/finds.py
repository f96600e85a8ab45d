"""Paths that are not there: follow the one that the error suggests, ask where there are two, else say so."""

from pathlib import PurePosixPath

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent
from punie_cli.rows.intents.checks import CHECK, COUNT, counted_errors, findings, told_count
from punie_cli.rows.intents.files import READ
from punie_cli.rows.intents.lints import COUNT_LINT, LINT, counted_findings, lint_findings, told_findings
from punie_cli.rows.intents.paths import absent, base_name, contents, meant, module, refused, styled, suggested, tested
from punie_cli.rows.intents.testing import TEST, told_results
from punie_cli.rows.project import Project


def _follow(output: Message, path: str) -> None:
    if meant(output) != path:
        raise Unsuitable


@intent("find", 1.8, alone=True)
def check_base_name(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    base = base_name(project, rng, path)
    yield ask(rng, CHECK, path=base)
    result = yield program(f'print(typecheck("{base}"))')
    _follow(result, path)
    result = yield program(f'print(typecheck("{path}"))')
    yield answer(findings(result, path))


@intent("find", 1.4, alone=True)
def count_base_name(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    base = base_name(project, rng, path)
    yield ask(rng, COUNT, path=base)
    _follow((yield program(counted_errors(base))), path)
    result = yield program(counted_errors(path))
    yield answer(told_count(result, path))


@intent("find", 1.8, alone=True)
def lint_base_name(project: Project, rng: Voice) -> Script:
    path = styled(project, rng)
    base = base_name(project, rng, path)
    yield ask(rng, LINT, path=base)
    _follow((yield program(f'print(lint("{base}"))')), path)
    result = yield program(f'print(lint("{path}"))')
    yield answer(lint_findings(result, path))


@intent("find", 1.3, alone=True)
def count_lint_base_name(project: Project, rng: Voice) -> Script:
    path = styled(project, rng)
    base = base_name(project, rng, path)
    yield ask(rng, COUNT_LINT, path=base)
    _follow((yield program(counted_findings(base))), path)
    result = yield program(counted_findings(path))
    yield answer(told_findings(result, path))


@intent("find", 1.5, alone=True)
def test_base_name(project: Project, rng: Voice) -> Script:
    path = tested(project, rng)
    base = base_name(project, rng, path)
    yield ask(rng, TEST, path=base)
    _follow((yield program(f'print(test("{base}"))')), path)
    result = yield program(f'print(test("{path}"))')
    yield answer(told_results(result, path))


@intent("find read", 1.8, alone=True)
def read_base_name(project: Project, rng: Voice) -> Script:
    short = [p for p, text in project.files.items() if "/" in p and 0 < text.count("\n") <= 16]
    if not short:
        raise Unsuitable
    path = rng.choice(short)
    base = base_name(project, rng, path)
    yield ask(rng, READ, path=base)
    _follow((yield program(f'print(read_file("{base}"))')), path)
    yield program(f'print(read_file("{path}"))')
    yield answer(contents(path))


@intent("find", 0.8, alone=True)
def check_folder_name(project: Project, rng: Voice) -> Script:
    """A folder is named without the one that it lies in."""
    outer, _, base = project.package.rpartition("/")
    if not outer:
        raise Unsuitable
    asked = base + rng.choice(["", "/"])
    forms, tool, told = rng.choice([(CHECK, "typecheck", findings), (LINT, "lint", lint_findings)])
    yield ask(rng, forms, path=asked)
    _follow((yield program(f'print({tool}("{asked}"))')), project.package)
    result = yield program(f'print({tool}("{project.package}"))')
    yield answer(told(result, project.package))


@intent("find", 1, alone=True)
def ambiguous_name(project: Project, rng: Voice) -> Script:
    """Two files have the name: which one is meant is the user's to say."""
    bases = [PurePosixPath(p).name for p in project.files if p.endswith(".py")]
    twins = sorted({b for b in bases if bases.count(b) == 2 and b != "__init__.py"})
    if not twins:
        raise Unsuitable
    base = rng.choice(twins)
    forms, code = rng.choice(
        [
            (CHECK, f'print(typecheck("{base}"))'),
            (COUNT, counted_errors(base)),
            (LINT, f'print(lint("{base}"))'),
            (READ, f'print(read_file("{base}"))'),
        ]
    )
    yield ask(rng, forms, path=base)
    paths = suggested((yield program(code)))
    if len(paths) != 2:
        raise Unsuitable
    yield answer(f"There is no {base} here. Did you mean {paths[0]} or {paths[1]}?")


@intent("find", 1.5, alone=True)
def check_missing(project: Project, rng: Voice) -> Script:
    missing = absent(project, rng)
    forms, code, done = rng.choice(
        [
            (CHECK, f'print(typecheck("{missing}"))', "checked"),
            (COUNT, counted_errors(missing), "checked"),
            (LINT, f'print(lint("{missing}"))', "linted"),
            (COUNT_LINT, counted_findings(missing), "linted"),
            (TEST, f'print(test("{missing}"))', "tested"),
        ]
    )
    yield ask(rng, forms, path=missing)
    result = yield program(code)
    if not result.error or refused(result) or suggested(result):
        raise Unsuitable
    yield answer(f"There is no {missing} in this project, so nothing was {done}.")


@intent("find read", 0.8, alone=True)
def read_missing(project: Project, rng: Voice) -> Script:
    missing = absent(project, rng).rstrip("/")
    missing = missing if missing.endswith(".py") and rng.random() < 0.5 else f"{missing.removesuffix('.py')}.md"
    yield ask(rng, READ, path=missing)
    result = yield program(f'print(read_file("{missing}"))')
    if not result.error or suggested(result):
        raise Unsuitable
    yield answer(f"There is no {missing} in this project.")


@intent("find", 0.8)
def check_not_python(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p in project.files if not p.endswith(".py")])
    forms, tool, done = rng.choice(
        [(CHECK, "typecheck", "type checked"), (LINT, "lint", "linted"), (TEST, "test", "tested")]
    )
    yield ask(rng, forms, path=path)
    result = yield program(f'print({tool}("{path}"))')
    if "is not a Python file" not in (result.error or ""):
        raise Unsuitable
    yield answer(f"{path} is not a Python file, so it cannot be {done}.")
