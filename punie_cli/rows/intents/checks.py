"""Questions that ty answers: whole results, counts, fields of results, and names given without their folder."""

import re
from pathlib import PurePosixPath
from random import Random

from punie_cli.agent.messages import OUTPUT_LINE, Message, answer, program, user
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, ask, count, intent, listed
from punie_cli.rows.projects import Project


def target(project: Project, rng: Random) -> str:
    """A path to check: mostly a module, often a folder, sometimes everything. Faulty ones are likelier."""
    roll = rng.random()
    if roll < 0.1:
        return "."
    if roll < 0.45:
        return project.package + rng.choice(["/", "/", ""])
    return module(project, rng)


def module(project: Project, rng: Random) -> str:
    """A module of the project; two in three have a fault where there is one."""
    faulty = project.faulty()
    return rng.choice(faulty if faulty and rng.random() < 0.67 else project.modules)


def shown(path: str) -> str:
    """How an answer names what was checked."""
    return "the project" if path == "." else path


def findings(output: Message, path: str) -> str:
    """The answer to a whole check: what was printed, or that there is nothing."""
    lines = output.text.strip().splitlines()
    if lines[0] == "no type errors":
        return f"No type errors in {shown(path)}."
    return f"Type errors in {shown(path)}:\n\n{OUTPUT_LINE}"


_CHECK = """
typecheck {path}
type check {path}
type-check {path}
(run|do) a (typecheck|type check) (on|of|over|for) {path}
check (the|all|) types (in|of|under) {path}
check {path} (for|) type errors
check {path} with ty
run ty (on|over|for) {path}
run the type checker (on|over|for|in) {path}
(find|show|list|show me|give me|print) (all|the|all the|) type (errors|problems|issues|mistakes) (in|of|for) {path}
(are|do you see) there any type (errors|problems|issues|mistakes) in {path}
what type (errors|problems) does {path} have
what does ty say about {path}
what is wrong with the types in {path}
verify the types (of|in) {path}
(can|could) you (typecheck|type check|check the types of|check the types in) {path}
look for type (errors|problems|issues) in {path}
any type (errors|problems|issues|mistakes) in {path}
I want to see the type errors of {path}
{path}: any type errors
is there something wrong with the types in {path}
are there (type errors|typing problems|typing errors|wrong types) in {path}
"""

_CHECK_ALL = """
typecheck (the project|everything|this project|all files|the whole project|all the code|.)
type check (the project|everything|the code|the whole repo|.)
check the types (of the whole project|everywhere|in this project|of all files)
run ty (on everything|on the project|over the whole project|here)
(are|do we have) there any type (errors|problems) (in this project|anywhere|in the code)
(find|show|list) all type (errors|problems) (in the project|we have|of this project)
does this project (have|contain) type errors
run the type checker
"""


@intent("check", 4.5)
def check_path(project: Project, rng: Random) -> Script:
    path = target(project, rng)
    yield user(ask(rng, _CHECK_ALL if path == "." else _CHECK, path=path))
    code = "print(typecheck())" if path == "." else f'print(typecheck("{path}"))'
    result = yield program(code)
    yield answer(findings(result, path))


_COUNT = """
how many type errors (are|are there) in {path}
how many (type errors|errors|type problems) does {path} have
(count|count all|count the) (type errors|errors) (in|of) {path}
(give me|tell me|I need|what is) the number of type errors (in|of|for) {path}
number of type errors in {path}
how many errors does ty (find|report|see) in {path}
type error count (of|for|in) {path}
how (bad|broken) are the types in {path}, just the count
just the number of type errors in {path}
how many typing (errors|mistakes) (are|) in {path}
"""


@intent("check", 2)
def count_errors(project: Project, rng: Random) -> Script:
    path = target(project, rng)
    path = project.package if path == "." else path
    yield user(ask(rng, _COUNT, path=path))
    result = yield program(f'result = typecheck("{path}")\nprint(result.error_count)')
    number = int(result.text)
    yield answer(f"There {'is' if number == 1 else 'are'} {count(number, 'type error')} in {path}.")


@intent("check", 2)
def first_error(project: Project, rng: Random) -> Script:
    path = module(project, rng)
    yield user(
        ask(
            rng,
            """
            (which|what) line (of|in) {path} has the first type error
            where is the first type error in {path}
            (show|show me|tell me|give me|print) the first (type error|error of ty|problem ty finds) in {path}
            what is the first type error (in|of) {path}
            on which line (of|in) {path} is the first (type error|type problem)
            line of the first type error in {path}
            find the first type error of {path}
            """,
            path=path,
        )
    )
    result = yield program(
        f'result = typecheck("{path}")\n'
        "if result.errors:\n"
        "    first = result.errors[0]\n"
        '    print(f"line {first.line}: {first.message}")\n'
        "else:\n"
        '    print("no type errors")'
    )
    if result.text.startswith("no type"):
        yield answer(f"There are no type errors in {path}.")
    else:
        line, _, message = result.text.splitlines()[0].partition(": ")
        yield answer(f"The first type error in {path} is on {line}: {message}")


@intent("check", 1.2)
def error_lines(project: Project, rng: Random) -> Script:
    path = module(project, rng)
    yield user(
        ask(
            rng,
            """
            (which|what) lines (of|in) {path} have type errors
            (list|show|give me|print) the lines (of|in) {path} (with|that have) type errors
            on which lines does {path} have type (errors|problems)
            line numbers of the type errors in {path}
            where in {path} are the type errors
            """,
            path=path,
        )
    )
    result = yield program(f'result = typecheck("{path}")\nprint([error.line for error in result.errors])')
    lines = result.text.strip("[]\n ").split(", ")
    if lines == [""]:
        yield answer(f"There are no type errors in {path}.")
    elif len(lines) == 1:
        yield answer(f"{path} has one type error, on line {lines[0]}.")
    else:
        yield answer(f"{path} has type errors on lines {listed(lines)}.")


@intent("check", 1.7)
def files_with_errors(project: Project, rng: Random) -> Script:
    path = project.package + rng.choice(["/", ""])
    yield user(
        ask(
            rng,
            """
            (which|what) files (in|of|under) {path} have type errors
            (list|show|name|give me) the files (in|of) {path} (with|that have) type (errors|problems)
            in which files of {path} does ty find (errors|problems)
            which modules (of|in) {path} (fail|do not pass) the type check
            what files under {path} need type fixes
            """,
            path=path,
        )
    )
    result = yield program(f'result = typecheck("{path}")\nfor file in result.files:\n    print(file)')
    files = result.text.split()
    if not files:
        yield answer(f"No file in {path} has type errors.")
    elif len(files) == 1:
        yield answer(f"Only {files[0]} has type errors.")
    else:
        yield answer(f"{len(files)} files have type errors: {listed(files)}.")


@intent("check", 2)
def is_clean(project: Project, rng: Random) -> Script:
    path = target(project, rng)
    path = project.package + "/" if path == "." else path
    yield user(
        ask(
            rng,
            """
            is {path} (free of type errors|type clean|clean|well typed|fully typed without errors)
            does {path} (pass|survive) (the type check|ty|type checking|the type checker)
            is ty happy with {path}
            are the types (in|of) {path} (ok|fine|correct|right|all right)
            does {path} type check (cleanly|without errors|)
            will {path} pass the type checker
            does {path} have (any|) type errors
            """,
            path=path,
        )
    )
    result = yield program(f'result = typecheck("{path}")\nprint(result.success, result.error_count)')
    success, number = result.text.split()
    if success == "True":
        yield answer(f"Yes, {path} has no type errors.")
    else:
        yield answer(f"No, {path} has {count(int(number), 'type error')}.")


@intent("check", 1)
def compare_files(project: Project, rng: Random) -> Script:
    if len(project.modules) < 3:
        raise Unsuitable
    first, second = rng.sample([m for m in project.modules if not m.endswith("__init__.py")], 2)
    yield user(
        ask(
            rng,
            """
            which has more type errors, {a} or {b}
            compare the type errors (of|in) {a} and {b}
            does {a} or {b} have more type errors
            type errors of {a} against {b}
            """,
            a=first,
            b=second,
        )
    )
    result = yield program(f'for path in ["{first}", "{second}"]:\n    print(path, typecheck(path).error_count)')
    (a, m), (b, n) = (line.split() for line in result.text.splitlines())
    if m == n:
        yield answer(f"Both have {count(int(m), 'type error')}.")
    else:
        more, less = ((a, m), (b, n)) if int(m) > int(n) else ((b, n), (a, m))
        yield answer(f"{more[0]} has more: {more[1]} against {less[1]} in {less[0]}.")


def base_name(project: Project, rng: Random) -> tuple[str, str]:
    """A module and its name without folder, which must not exist as a path."""
    path = module(project, rng)
    base = PurePosixPath(path).name
    if base == "__init__.py" or sum(PurePosixPath(p).name == base for p in project.files) > 1:
        raise Unsuitable
    return path, base


def suggested(output: Message) -> list[str]:
    """The paths that an error suggests."""
    _, _, rest = (output.error or "").partition("did you mean ")
    return re.findall(r"'([^']+)'", rest)


def meant(output: Message) -> str | None:
    """The one path that an error suggests."""
    paths = suggested(output)
    return paths[0] if len(paths) == 1 else None


@intent("find", 2.4)
def check_base_name(project: Project, rng: Random) -> Script:
    path, base = base_name(project, rng)
    yield user(ask(rng, _CHECK, path=base))
    result = yield program(f'print(typecheck("{base}"))')
    if meant(result) != path:
        raise Unsuitable
    result = yield program(f'print(typecheck("{path}"))')
    yield answer(findings(result, path))


@intent("find", 1.6)
def count_base_name(project: Project, rng: Random) -> Script:
    path, base = base_name(project, rng)
    yield user(ask(rng, _COUNT, path=base))
    result = yield program(f'result = typecheck("{base}")\nprint(result.error_count)')
    if meant(result) != path:
        raise Unsuitable
    result = yield program(f'result = typecheck("{path}")\nprint(result.error_count)')
    number = int(result.text)
    yield answer(f"There {'is' if number == 1 else 'are'} {count(number, 'type error')} in {path}.")


@intent("find", 1)
def check_folder_name(project: Project, rng: Random) -> Script:
    """A folder is named without the one that it lies in."""
    outer, _, base = project.package.rpartition("/")
    if not outer:
        raise Unsuitable
    asked = base + rng.choice(["", "/"])
    yield user(ask(rng, _CHECK, path=asked))
    result = yield program(f'print(typecheck("{asked}"))')
    if meant(result) != project.package:
        raise Unsuitable
    result = yield program(f'print(typecheck("{project.package}"))')
    yield answer(findings(result, project.package))


@intent("find", 1)
def check_ambiguous(project: Project, rng: Random) -> Script:
    """Two files have the name: which one is meant is the user's to say."""
    bases = [PurePosixPath(p).name for p in project.files if p.endswith(".py")]
    twins = sorted({b for b in bases if bases.count(b) == 2 and b != "__init__.py"})
    if not twins:
        raise Unsuitable
    base = rng.choice(twins)
    forms, code = rng.choice(
        [
            (_CHECK, f'print(typecheck("{base}"))'),
            (_COUNT, f'result = typecheck("{base}")\nprint(result.error_count)'),
        ]
    )
    yield user(ask(rng, forms, path=base))
    result = yield program(code)
    paths = suggested(result)
    if len(paths) != 2:
        raise Unsuitable
    yield answer(f"There is no {base} here. Did you mean {paths[0]} or {paths[1]}?")


@intent("find", 1.4)
def check_missing(project: Project, rng: Random) -> Script:
    missing = f"{names.folder(rng)}/{names.module(rng)}.py" if rng.random() < 0.6 else f"{names.folder(rng)}/"
    forms, code = rng.choice(
        [
            (_CHECK, f'print(typecheck("{missing}"))'),
            (_COUNT, f'result = typecheck("{missing}")\nprint(result.error_count)'),
        ]
    )
    yield user(ask(rng, forms, path=missing))
    result = yield program(code)
    if not result.error or suggested(result):
        raise Unsuitable
    yield answer(f"There is no {missing} in this project, so nothing was checked.")


@intent("find", 0.6)
def check_not_python(project: Project, rng: Random) -> Script:
    path = rng.choice([p for p in project.files if not p.endswith(".py")])
    yield user(ask(rng, _CHECK, path=path))
    yield program(f'print(typecheck("{path}"))')
    yield answer(f"{path} is not a Python file, so its types cannot be checked.")


@intent("check", 0.5)
def check_tool_failed(project: Project, rng: Random) -> Script:
    """ty cannot run (see generate.py): the answer must say so, and never "no errors"."""
    path = target(project, rng)
    path = project.package if path == "." else path
    forms, code = rng.choice(
        [
            (_CHECK, f'print(typecheck("{path}"))'),
            (_COUNT, f'result = typecheck("{path}")\nprint(result.error_count)'),
        ]
    )
    yield user(ask(rng, forms, path=path))
    result = yield program(code)
    reason = (result.error or result.text).partition("check failed: ")[2].strip()
    yield answer(f"The type check of {path} did not run: {reason}.")
