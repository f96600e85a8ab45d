"""Fields of results beyond the first and the count: codes, columns, messages, lines, and findings kept in a file."""

import re

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed, rarely
from punie_cli.rows.intents.paths import folder, module, refused
from punie_cli.rows.project import Project

# Codes that ty gives for faults of generated projects; the commonest stand here twice.
_CODES = (
    "invalid-explicit-return", "missing-attribute", "import-not-found", "invalid-assignment", "invalid-argument-type",
    "missing-argument", "unknown-argument", "unsupported-operator", "unresolved-reference", "no-matching-overload",
    "invalid-explicit-return", "missing-attribute", "invalid-assignment", "invalid-argument-type",
    "unresolved-reference",
)  # fmt: skip


def _path(project: Project, rng: Voice) -> str:
    return folder(project, rng) if rng.random() < 0.5 else module(project, rng)


@intent("field", 2)
def count_of_code(project: Project, rng: Voice) -> Script:
    path, code = _path(project, rng), rng.choice(_CODES)
    yield ask(
        rng,
        """
        how many {code} errors does ty (find|report|see) in {path}
        (count|count only) the {code} errors (in|of|below) {path}
        how often does {code} (occur|come up) in the type check of {path}
        of all type errors in {path}, how many are {code}
        number of type errors with the code {code} in {path}
        typecheck {path} and tell me how many errors (are|have the code) {code}
        in {path}, how many times does ty say {code}
        {path}: count of {code}
        """,
        path=path,
        code=code,
    )
    result = yield program(
        f'result = typecheck("{path}")\nfound = [error for error in result.errors if error.code == "{code}"]\n'
        "print(len(found))"
    )
    if result.text.strip() == "0":
        rarely(rng)
    yield answer(f"ty reports {count(int(result.text), f'{code} error')} in {path}.")


@intent("field", 1.6)
def where_is_code(project: Project, rng: Voice) -> Script:
    path, code = _path(project, rng), rng.choice(_CODES)
    yield ask(
        rng,
        """
        where (in|below) {path} does ty report {code}
        (find|locate|show) the {code} errors (in|of) {path}
        which (lines|places) of {path} have a {code} error
        is there (a|any) {code} in {path}, and where
        which module (in|of) {path} has (a|the) {code} error
        look for {code} errors in {path} and tell me where they are
        file and line of each {code} in {path}
        """,
        path=path,
        code=code,
    )
    result = yield program(
        f'for error in typecheck("{path}").errors:\n    if error.code == "{code}":\n'
        "        print(error.file, error.line)"
    )
    found = [line.split() for line in result.text.splitlines() if " " in line]
    if not found:
        rarely(rng)
        yield answer(f"ty reports no {code} in {path}.")
    elif len(found) == 1:
        yield answer(f"There is one {code}: {found[0][0]}, line {found[0][1]}.")
    else:
        yield answer(f"{len(found)} errors are {code}:\n\n{OUTPUT_LINE}")


@intent("field", 1.4)
def lines_and_codes(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    field, thing = rng.choice([("code", "code"), ("code", "rule"), ("column", "column"), ("message", "message")])
    yield ask(
        rng,
        """
        (give me|list|print|show) line and {thing} of (each|every) type error in {path}
        for (each|every) type error in {path}: the line and the {thing}
        type errors of {path} as line and {thing}
        on which lines does {path} fail the type check, and with which {thing}
        typecheck {path}, one line (for each|per) error with its line number and {thing}
        I only need line number and {thing} of the type errors in {path}
        a table of line and {thing} for the type errors in {path}
        """,
        path=path,
        thing=thing,
    )
    result = yield program(
        f'result = typecheck("{path}")\nfor error in result.errors:\n    print(error.line, error.{field})'
    )
    if not result.text.strip():
        yield answer(f"There are no type errors in {path}.")
    else:
        yield answer(f"Type errors in {path}, line and {thing}:\n\n{OUTPUT_LINE}")


@intent("field", 1.4)
def column_and_source(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    yield ask(
        rng,
        """
        show (the column and the source line|column and code line) of each type error in {path}
        for every type error in {path}: its column and the line of code
        where exactly, to the column, are the type errors of {path}? quote the lines
        print the source of each wrong line in {path} with the column that ty gives
        the wrong lines of {path} with their columns
        at which column of which line do the types of {path} break, show me the code
        """,
        path=path,
    )
    result = yield program(
        f'lines = read_file("{path}").splitlines()\nfor error in typecheck("{path}").errors:\n'
        "    print(error.line, error.column, lines[error.line - 1])"
    )
    if result.error:
        raise Unsuitable
    if not result.text.strip():
        yield answer(f"There are no type errors in {path}.")
    else:
        yield answer(f"Line, column and code of the type errors in {path}:\n\n{OUTPUT_LINE}")


@intent("field", 1)
def last_error(project: Project, rng: Voice) -> Script:
    path = _path(project, rng)
    yield ask(
        rng,
        """
        (what|which) is the last type error in {path}
        show me only the last (type error|error of ty) in {path}
        the last thing that ty reports for {path}
        typecheck {path} and give me the last error
        where is the last type error of {path}
        line and message of the final type error in {path}
        """,
        path=path,
    )
    result = yield program(
        f'result = typecheck("{path}")\nif result.errors:\n    print(result.errors[-1])\n'
        'else:\n    print("no type errors")'
    )
    if result.text.startswith("no type"):
        yield answer(f"There are no type errors in {path}.")
    else:
        yield answer(f"The last type error in {path}:\n\n{OUTPUT_LINE}")


@intent("field", 1)
def error_on_line(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    number = rng.randint(3, 20)
    yield ask(
        rng,
        """
        what does ty say about line {n} of {path}
        is line {n} of {path} (ok|fine|right) for the type checker
        what is wrong with the types on line {n} of {path}
        does {path} have a type error on line {n}
        why does ty complain about line {n} in {path}
        {path}, line {n}: is there a type error
        """,
        path=path,
        n=number,
    )
    result = yield program(
        f'for error in typecheck("{path}").errors:\n    if error.line == {number}:\n        print(error.message)'
    )
    text = result.text.strip()
    if not text:
        rarely(rng)
        yield answer(f"ty reports nothing on line {number} of {path}.")
    else:
        yield answer(f"On line {number} of {path}: {text.splitlines()[0]}")


@intent("field", 1.2)
def errors_per_file(project: Project, rng: Voice) -> Script:
    path = folder(project, rng)
    tool, items, thing = rng.choice(
        [
            ("typecheck", "errors", "type errors"),
            ("lint", "findings", "lint findings"),
            ("typecheck", "errors", "errors of ty"),
        ]
    )
    yield ask(
        rng,
        """
        how many {thing} does each file (in|of) {path} have
        {thing} per (file|module) in {path}
        (count|number of) {thing} by file for {path}
        split the {thing} of {path} by file
        for each file of {path} the number of {thing}
        which files of {path} have {thing}, and how many each
        """,
        path=path,
        thing=thing,
    )
    result = yield program(
        f'result = {tool}("{path}")\nfor file in result.files:\n'
        f"    print(file, len([item for item in result.{items} if item.file == file]))"
    )
    found = [line.split() for line in result.text.splitlines() if " " in line]
    if not found:
        yield answer(f"There are no {thing} in {path}.")
    else:
        yield answer(f"In {path}: {listed([f'{file} has {number}' for file, number in found])}.")


_SAVED = (
    ("the line and the code", "line,code", 'f"{error.line},{error.code}"'),
    ("`file:line`", "file:line", 'f"{error.file}:{error.line}"'),
    ("line and message", "line: message", 'f"{error.line}: {error.message}"'),
    ("only the line number", "line", "str(error.line)"),
    ("only the code", "code", "error.code"),
)


@intent("field", 2.2)
def save_errors(project: Project, rng: Voice) -> Script:
    """Findings into a file, one a line, by a program that reads their fields."""
    path = _path(project, rng)
    new = f"{rng.choice(['', '', 'reports/', 'out/'])}{names.stem(rng)}.{rng.choice(['txt', 'csv', 'log', 'md'])}"
    words, form, line = rng.choice(_SAVED)
    yield ask(
        rng,
        """
        (save|write) the type errors of {path} to {new}, (one a line|a line each): {words}
        typecheck {path} and put {words} of each error into {new}
        (write|make|create) {new} with {words} of every type error in {path}
        I need {new}: the type errors of {path}, one per line as {form}
        keep the type errors of {path} in {new}, in the form {form}
        store what ty finds in {path} as {new}, one line per error, {form}
        {new} should list the type errors of {path} ({form}, a line each)
        """,
        path=path,
        new=new,
        words=words,
        form=form,
    )
    result = yield program(
        f'result = typecheck("{path}")\nlines = [{line} for error in result.errors]\n'
        f'write_file("{new}", "\\n".join(lines) + "\\n")\nprint(len(lines))'
    )
    if refused(result):
        yield answer(f"Writing {new} was refused, so nothing was saved.")
    else:
        yield answer(f"Saved {count(int(result.text), 'type error')} of {path} to {new}.")


@intent("field", 1.2)
def save_count(project: Project, rng: Voice) -> Script:
    path = _path(project, rng)
    new = f"{names.stem(rng)}.{rng.choice(['txt', 'json', 'md'])}"
    tool, field, thing = rng.choice([("typecheck", "error_count", "type errors"), ("lint", "count", "lint findings")])
    key = thing.replace(" ", "_")
    yield ask(
        rng,
        """
        (save|write) the number of {thing} in {path} to {new}
        count the {thing} of {path} and put the number into {new}
        {new} should hold the count of {thing} in {path}
        (make|create) {new} with the number of {thing} that {path} has
        note in {new} how many {thing} there are in {path}
        how many {thing} does {path} have? write it to {new}
        """,
        path=path,
        new=new,
        thing=thing,
    )
    text = f'json.dumps({{"{key}": number}}) + "\\n"' if new.endswith("json") else 'str(number) + "\\n"'
    result = yield program(f'number = {tool}("{path}").{field}\nwrite_file("{new}", {text})\nprint(number)')
    if refused(result):
        yield answer(f"Writing {new} was refused, so nothing was saved.")
    else:
        yield answer(f"{path} has {count(int(result.text), thing[:-1])}; the number is in {new}.")


@intent("field", 1.6, alone=True)
def code_to_function(project: Project, rng: Voice) -> Script:
    """Two programs: which line has the error, then the code around it."""
    path = folder(project, rng)
    code = rng.choice(_CODES)
    yield ask(
        rng,
        """
        find the {code} in {path} and show me the line of code
        somewhere (in|below) {path} is a {code}: which line of code is it
        ty reports {code} in {path}; find the file and show the line
        look up the {code} error of {path} and print the code there
        show the source line that has the {code} in {path}
        which code (in|of) {path} leads to {code}
        """,
        path=path,
        code=code,
    )
    result = yield program(
        f'for error in typecheck("{path}").errors:\n    if error.code == "{code}":\n'
        "        print(error.file, error.line)"
    )
    found = [line.split() for line in result.text.splitlines() if re.fullmatch(r"\S+ \d+", line)]
    if not found:
        rarely(rng)
        yield answer(f"ty reports no {code} in {path}.")
        return
    file, line = found[0]
    result = yield program(f'print(read_file("{file}").splitlines()[{line} - 1])')
    yield answer(f"The {code} is in {file} on line {line}: `{result.text.strip()}`")


@intent("field", 0.8)
def as_json(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    yield ask(
        rng,
        """
        (give me|print|show) the type errors of {path} as json
        type errors in {path}, in json with line and message
        typecheck {path} and (print|return) json
        the findings of ty for {path} as a json list
        I need the type errors of {path} as json
        json of the type errors in {path}, please
        """,
        path=path,
    )
    yield program(
        f'result = typecheck("{path}")\n'
        'print(json.dumps([{"line": error.line, "message": error.message} for error in result.errors]))'
    )
    yield answer(f"The type errors of {path}:\n\n{OUTPUT_LINE}")
