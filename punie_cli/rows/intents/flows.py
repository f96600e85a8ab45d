"""Work of two to four steps: find then act, write then check, several checks at once."""

import re

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed, quoted
from punie_cli.rows.intents.checks import findings
from punie_cli.rows.intents.lints import lint_findings
from punie_cli.rows.intents.paths import folder, module, refused
from punie_cli.rows.project import Project


def _function(project: Project, rng: Voice) -> str:
    if not project.functions:
        raise Unsuitable
    return rng.choice(sorted(project.functions))


@intent("flow command", 1, alone=True)
def show_function(project: Project, rng: Voice) -> Script:
    """Find the file, then show the function alone."""
    name = _function(project, rng)
    yield ask(
        rng,
        """
        show me (the code of|the body of|the source of) {name}
        print the function {name}
        how is {name} written
        let me see the code of the function {name}
        find {name} and show (it|me its code)
        what does the code of {name} look like
        read the function {name}
        """,
        name=name,
    )
    result = yield program(f'print(run_command(["grep", "-rn", "def {name}(", "."]))')
    match = re.match(r"\./([^:]+):(\d+):", result.text)
    if not match or result.text.count("\n") > 1:
        raise Unsuitable
    yield program(
        f'text = read_file("{match[1]}")\nprint("def {name}(" + text.split("def {name}(")[1].split("\\n\\n")[0])'
    )
    yield answer(f"{name} in {match[1]}:\n\n{OUTPUT_LINE}")


@intent("flow", 1.6, alone=True)
def check_definition(project: Project, rng: Voice) -> Script:
    """Find the file that defines something, then check or lint that file."""
    if rng.random() < 0.5:
        kind, name, mark = "function", _function(project, rng), "def {}("
    else:
        kind, name, mark = "class", rng.choice([e.name for e in project.entities.values()]), "class {}"
    tool, verb, told = rng.choice([("typecheck", "type check", findings), ("lint", "lint", lint_findings)])
    yield ask(
        rng,
        """
        {verb} the (file|module) that defines {name}
        {verb} the module with the {kind} {name}
        find the {kind} {name} and {verb} its file
        (can|could) you {verb} the file where {name} is
        look up where {name} is defined and {verb} that file
        the {kind} {name}: {verb} the module it is in
        """,
        verb=verb,
        kind=kind,
        name=name,
    )
    result = yield program(f'print(run_command(["grep", "-rl", "{mark.format(name)}", "."]))')
    paths = [line.removeprefix("./") for line in result.text.split()]
    if len(paths) != 1 or not paths[0].endswith(".py"):
        raise Unsuitable
    result = yield program(f'print({tool}("{paths[0]}"))')
    yield answer(told(result, paths[0]))


@intent("flow", 1.4)
def check_and_lint(project: Project, rng: Voice) -> Script:
    path = rng.choice([folder(project, rng), module(project, rng)])
    yield ask(
        rng,
        """
        (typecheck|type check) and lint {path}
        run ty and ruff (on|over) {path}
        check {path} with ty and with ruff
        lint {path} and check its types too
        (are|do you see) there any type errors or lint findings in {path}
        both checks for {path}, types and style
        what do ty and ruff say about {path}
        """,
        path=path,
    )
    result = yield program(f'print(typecheck("{path}"))\nprint(lint("{path}"))')
    if result.text.split("\n")[:2] == ["no type errors", "no lint findings"]:
        yield answer(f"{path} has no type errors and no lint findings.")
    else:
        yield answer(f"What ty and ruff say about {path}:\n\n{OUTPUT_LINE}")


@intent("flow", 2)
def count_both(project: Project, rng: Voice) -> Script:
    path = rng.choice([folder(project, rng), module(project, rng)])
    yield ask(
        rng,
        """
        how many type errors and lint findings does {path} have
        count the type errors and the lint findings (in|of) {path}
        number of type errors and of lint findings in {path}
        does {path} have more type errors or more lint findings
        give me both counts for {path}, types and lint
        how many problems do ty and ruff find in {path}
        """,
        path=path,
    )
    result = yield program(f'print(typecheck("{path}").error_count, lint("{path}").count)')
    errors, found = (int(number) for number in result.text.split())
    yield answer(f"{path} has {count(errors, 'type error')} and {count(found, 'lint finding')}.")


@intent("flow", 1.4)
def all_checks(project: Project, rng: Voice) -> Script:
    if not project.tests:
        raise Unsuitable
    yield ask(
        rng,
        """
        run all checks
        is the project ready for a commit
        (run|do) types, lint and tests
        check everything: types, style and tests
        is everything (green|fine) in this project
        does the project pass all checks
        (can|could) I commit this
        """,
    )
    result = yield program(
        'print("type errors:", typecheck().error_count)\nprint("lint findings:", lint().count)\n'
        'print("failed tests:", test().failed)'
    )
    if refused(result):
        yield answer(f"Running the tests was refused. The other checks:\n\n{OUTPUT_LINE}")
    elif re.findall(r"\d+", result.text) == ["0", "0", "0"]:
        yield answer("Yes, all is clean: no type errors, no lint findings, no failed tests.")
    else:
        yield answer(f"Not all is clean:\n\n{OUTPUT_LINE}")


@intent("flow", 2.2)
def write_then_check(project: Project, rng: Voice) -> Script:
    """A new module is checked as soon as it is written."""
    new = f"{project.package}/{names.module(rng)}.py"
    if new in project.files:
        raise Unsuitable
    name, number = f"{names.verb(rng)}_{names.word(rng)}", rng.randint(2, 999)
    kind, text = rng.choice([("int", str(number)), ("str", quoted(names.phrase(rng))), ("float", f"{number}.5")])
    tool, word, none = rng.choice([("typecheck", "type check", "no type errors"), ("lint", "lint", "no lint findings")])
    yield ask(
        rng,
        """
        create {path} with a function {name} that returns {value}, and {word} it
        write a function {name} that returns {value} (to|into) {path}, then {word} the file
        (make|create) the module {path}: {name} returns {value}; {word} it afterwards
        I need {name} in {path}, it returns {value}; also {word} {path}
        add a new file {path} with {name}, which returns {value}, and {word} it
        {path} should define {name} returning {value}. {word} it when it is written
        """,
        path=new,
        name=name,
        value=text,
        word=word,
    )
    code = quoted(f"def {name}() -> {kind}:\n    return {text}\n")
    result = yield program(f'write_file("{new}", {code})\nprint({tool}("{new}"))')
    if refused(result):
        yield answer(f"Writing {new} was refused, so nothing was made.")
    elif result.text.startswith(none):
        yield answer(f"Created {new} with {name}. It has {none}.")
    else:
        raise Unsuitable


@intent("flow write", 1)
def write_then_run(project: Project, rng: Voice) -> Script:
    path, text = f"{names.word(rng)}_{names.word(rng)}.py", names.phrase(rng)
    yield ask(
        rng,
        """
        write a script {path} that prints "{text}" and run it
        create {path}, it should print "{text}", then run it
        make a script {path} printing "{text}" and show me its output
        {path} should print "{text}"; write and run it
        put a print of "{text}" into {path} and execute it
        I want a program {path} that says "{text}", and see it run
        """,
        path=path,
        text=text,
    )
    line = quoted(f'print("{text}")\n')
    result = yield program(f'write_file("{path}", {line})\nprint(run_command(["python3", "{path}"]))')
    if refused(result):
        yield answer(f"Writing {path} was refused, so nothing was run.")
    else:
        yield answer(f"Created {path}. It printed:\n\n{OUTPUT_LINE}")


@intent("flow", 2)
def worst_file(project: Project, rng: Voice) -> Script:
    path = folder(project, rng)
    tool, items, thing = rng.choice([("typecheck", "errors", "type errors"), ("lint", "findings", "lint findings")])
    yield ask(
        rng,
        """
        which file (in|of) {path} has the most {thing}
        where in {path} are most of the {thing}
        file with the most {thing} in {path}
        which module of {path} is worst, by {thing}
        in which file of {path} should I begin with the {thing}
        rank the files of {path} by {thing} and name the first
        """,
        path=path,
        thing=thing,
    )
    result = yield program(
        f'result = {tool}("{path}")\nfiles = [item.file for item in result.{items}]\n'
        "for file in sorted(result.files, key=files.count, reverse=True):\n    print(file, files.count(file))"
    )
    lines = result.text.splitlines()
    if not lines:
        yield answer(f"There are no {thing} in {path}.")
    else:
        name, number = lines[0].split()
        yield answer(f"{name} has the most {thing}: {number}.")


@intent("flow", 1.2, alone=True)
def lines_with_errors(project: Project, rng: Voice) -> Script:
    """Check first, then show the very lines of the file."""
    path = module(project, rng)
    yield ask(
        rng,
        """
        show me the code of the lines with type errors in {path}
        print the lines of {path} that ty complains about
        which code in {path} has type errors, show the lines
        let me see the wrong lines of {path}, the ones with type errors
        type check {path} and print the source of each wrong line
        quote the lines of {path} that have type errors
        """,
        path=path,
    )
    result = yield program(
        f'lines = read_file("{path}").splitlines()\n'
        f'for error in typecheck("{path}").errors:\n    print(error.line, lines[error.line - 1])'
    )
    if result.error:
        raise Unsuitable
    if not result.text.strip():
        yield answer(f"There are no type errors in {path}.")
    else:
        yield answer(f"Lines of {path} with type errors:\n\n{OUTPUT_LINE}")


@intent("flow", 1.2, alone=True)
def untested_modules(project: Project, rng: Voice) -> Script:
    """Two listings, compared."""
    if not project.tests:
        raise Unsuitable
    yield ask(
        rng,
        """
        which modules (of|in) {path} have no tests
        is there a test file for every module of {path}
        what in {path} is not tested yet
        (list|name) the modules of {path} without a test file
        compare {path} with tests/: what has no test
        where are tests missing for {path}
        """,
        path=project.package,
    )
    result = yield program(
        'tests = run_command(["ls", "tests"]).stdout\n'
        f'for name in run_command(["ls", "{project.package}"]).stdout.split():\n'
        '    if name.endswith(".py") and "test_" + name not in tests:\n        print(name)'
    )
    found = result.text.split()
    if not found:
        yield answer(f"Every module of {project.package} has a test file.")
    else:
        yield answer(f"Without a test file: {listed(found)}.")
