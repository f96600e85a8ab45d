"""Questions that ty answers: whole results, counts, and fields of results."""

from punie_cli.agent.messages import OUTPUT_LINE, Message, answer, program
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, ask, count, intent, listed
from punie_cli.rows.intents.paths import folder, module, shown, target
from punie_cli.rows.project import Project

CHECK = Forms(
    "check",
    """
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
    """,
)
COUNT = Forms(
    "count-errors",
    """
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
    """,
)


def findings(output: Message, path: str) -> str:
    """The answer to a whole check: what was printed, or that there is nothing."""
    if output.text.startswith("no type errors"):
        return f"No type errors in {shown(path)}."
    return f"Type errors in {shown(path)}:\n\n{OUTPUT_LINE}"


def counted_errors(path: str) -> str:
    """The program that counts."""
    return f'result = typecheck("{path}")\nprint(result.error_count)'


def told_count(output: Message, path: str) -> str:
    """The answer to a count."""
    number = int(output.text)
    return f"There {'is' if number == 1 else 'are'} {count(number, 'type error')} in {path}."


@intent("check typecheck-simple", 2)
def check_path(project: Project, rng: Voice) -> Script:
    path = target(project, rng)
    path = project.package if path == "." else path
    yield ask(rng, CHECK, path=path)
    result = yield program(f'print(typecheck("{path}"))')
    yield answer(findings(result, path))


@intent("check typecheck-simple", 1)
def check_all(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        typecheck (the project|everything|this project|all files|the whole project|all the code|.)
        type check (the project|everything|the code|the whole repo|.)
        check the types (of the whole project|everywhere|in this project|of all files)
        run ty (on everything|on the project|over the whole project|here)
        (are|do we have) there any type (errors|problems) (in this project|anywhere|in the code)
        (find|show|list) all type (errors|problems) (in the project|we have|of this project)
        does this project (have|contain) type errors
        run the type checker
        """,
    )
    result = yield program("print(typecheck())")
    yield answer(findings(result, "."))


@intent("check typecheck-simple", 1.6)
def count_errors(project: Project, rng: Voice) -> Script:
    path = rng.choice([folder(project, rng), module(project, rng)])
    yield ask(rng, COUNT, path=path)
    result = yield program(counted_errors(path))
    yield answer(told_count(result, path))


@intent("check typecheck-simple", 1.6)
def first_error(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    yield ask(
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
def error_lines(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    yield ask(
        rng,
        """
        (which|what) lines (of|in) {path} have type errors
        (list|show|give me|print) the lines (of|in) {path} (with|that have) type errors
        on which lines does {path} have type (errors|problems)
        line numbers of the type errors in {path}
        where in {path} are the type errors
        {path}: which lines does ty complain about
        """,
        path=path,
    )
    result = yield program(f'result = typecheck("{path}")\nprint([error.line for error in result.errors])')
    lines = result.text.strip("[]\n ").split(", ")
    if lines == [""]:
        yield answer(f"There are no type errors in {path}.")
    elif len(lines) == 1:
        yield answer(f"{path} has one type error, on line {lines[0]}.")
    else:
        yield answer(f"{path} has type errors on lines {listed(lines)}.")


@intent("check", 1.4)
def files_with_errors(project: Project, rng: Voice) -> Script:
    path = folder(project, rng)
    yield ask(
        rng,
        """
        (which|what) files (in|of|under) {path} have type errors
        (list|show|name|give me) the files (in|of) {path} (with|that have) type (errors|problems)
        in which files of {path} does ty find (errors|problems)
        which modules (of|in) {path} (fail|do not pass) the type check
        what files under {path} need type fixes
        where in {path} are files with wrong types
        """,
        path=path,
    )
    result = yield program(f'result = typecheck("{path}")\nfor file in result.files:\n    print(file)')
    files = result.text.split()
    if not files:
        yield answer(f"No file in {path} has type errors.")
    elif len(files) == 1:
        yield answer(f"Only {files[0]} has type errors.")
    else:
        yield answer(f"{len(files)} files have type errors: {listed(files)}.")


@intent("check typecheck-simple", 1.6)
def is_clean(project: Project, rng: Voice) -> Script:
    path = rng.choice([folder(project, rng), module(project, rng)])
    yield ask(
        rng,
        """
        is {path} (free of type errors|type clean|well typed|fully typed without errors)
        does {path} (pass|survive) (the type check|ty|type checking|the type checker)
        is ty happy with {path}
        are the types (in|of) {path} (ok|fine|correct|right|all right)
        does {path} type check (cleanly|without errors|)
        will {path} pass the type checker
        does {path} have (any|) type errors
        """,
        path=path,
    )
    result = yield program(f'result = typecheck("{path}")\nprint(result.success, result.error_count)')
    success, number = result.text.split()
    if success == "True":
        yield answer(f"Yes, {path} has no type errors.")
    else:
        yield answer(f"No, {path} has {count(int(number), 'type error')}.")


@intent("check", 0.8)
def compare_files(project: Project, rng: Voice) -> Script:
    if len(project.modules) < 3:
        raise Unsuitable
    first, second = rng.sample([m for m in project.modules if not m.endswith("__init__.py")], 2)
    yield ask(
        rng,
        """
        which has more type errors, {a} or {b}
        compare the type errors (of|in) {a} and {b}
        does {a} or {b} have more type errors
        type errors of {a} against {b}
        is {a} worse typed than {b}
        {a} or {b}: where does ty find more
        """,
        a=first,
        b=second,
    )
    result = yield program(f'for path in ["{first}", "{second}"]:\n    print(path, typecheck(path).error_count)')
    (a, m), (b, n) = (line.split() for line in result.text.splitlines())
    if m == n:
        yield answer(f"Both have {count(int(m), 'type error')}.")
    else:
        more, less = ((a, m), (b, n)) if int(m) > int(n) else ((b, n), (a, m))
        yield answer(f"{more[0]} has more: {more[1]} against {less[1]} in {less[0]}.")


@intent("check", 1)
def error_codes(project: Project, rng: Voice) -> Script:
    path = rng.choice([folder(project, rng), module(project, rng)])
    yield ask(
        rng,
        """
        which (rules|error codes|codes) does ty report (in|for) {path}
        what kinds of type errors (are|are there) in {path}
        (list|show|print) the (rule names|codes|rules) of the type errors in {path}
        what rules of ty does {path} break
        codes of the type errors in {path}
        by which rules does {path} fail the type check
        """,
        path=path,
    )
    result = yield program(
        f'result = typecheck("{path}")\nfor code in sorted({{error.code for error in result.errors}}):\n    print(code)'
    )
    codes = result.text.split()
    yield answer(f"ty reports {listed(codes)} in {path}." if codes else f"There are no type errors in {path}.")


@intent("check", 1)
def errors_of_file(project: Project, rng: Voice) -> Script:
    path, wanted = folder(project, rng), module(project, rng)
    yield ask(
        rng,
        """
        how many of the type errors (in|of) {path} are in {file}
        of the type errors in {path}, how many (are|come) from {file}
        check {path} and count the type errors in {file}
        how many type errors does {file} have in the check of {path}
        what part of the type errors in {path} is in {file}
        in the type check of {path}, count only {file}
        """,
        path=path,
        file=wanted,
    )
    result = yield program(
        f'result = typecheck("{path}")\nfound = [error for error in result.errors if error.file == "{wanted}"]\n'
        "print(len(found), result.error_count)"
    )
    some, of = result.text.split()
    yield answer(
        f"{some} of the {count(int(of), 'type error')} in {path} {'is' if some == '1' else 'are'} in {wanted}."
    )


@intent("check", 0.6)
def has_warnings(project: Project, rng: Voice) -> Script:
    path = rng.choice([folder(project, rng), module(project, rng)])
    yield ask(
        rng,
        """
        does ty (give|print|show) (any|) warnings (for|in) {path}
        are there type checker warnings in {path}
        how many warnings does ty have for {path}
        count the warnings of the type check of {path}
        type warnings in {path}, how many
        check {path} and tell me only the number of warnings
        """,
        path=path,
    )
    result = yield program(f'result = typecheck("{path}")\nprint(result.warning_count)')
    number = int(result.text)
    yield answer(f"ty has {count(number, 'warning')} for {path}.")


@intent("failure", 1.7, missing=("ty",))
def check_tool_failed(project: Project, rng: Voice) -> Script:
    """The answer must say that ty did not run, and never "no errors"."""
    path = rng.choice([folder(project, rng), module(project, rng)])
    forms, code = rng.choice([(CHECK, f'print(typecheck("{path}"))'), (COUNT, counted_errors(path))])
    yield ask(rng, forms, path=path)
    result = yield program(code)
    reason = (result.error or result.text).partition("check failed: ")[2].partition(" (line")[0].strip()
    yield answer(f"The type check of {path} did not run: {reason}.")
