"""Questions that reading files answers."""

import json
import re
from pathlib import PurePosixPath

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, ask, count, intent, listed
from punie_cli.rows.intents.paths import contents, short
from punie_cli.rows.project import Project

READ = Forms(
    "read",
    """
    read {path}
    (read|open|show|print|display|cat) (the file|) {path}
    (show|show me|let me see|give me|print|tell me) (the content of|the contents of|the text of|what is in|what's in) {path}
    what is (in|inside|written in) {path}
    what does {path} (say|contain|look like)
    (I want|I would like|I need) to (see|read) {path}
    (can|could) you (read|open|show|print) {path} (for me|)
    open {path} and show it
    let me (see|read|have a look at) {path}
    what's in (the file|) {path}
    output (the file|) {path}
    show {path}
    display {path} here
    """,  # noqa: E501  (one wording a line)
)


@intent("read", 3)
def read_path(project: Project, rng: Voice) -> Script:
    path = short(project, rng)
    yield ask(rng, READ, path=path)
    yield program(f'print(read_file("{path}"))')
    yield answer(contents(path))


@intent("read", 1.3)
def count_lines(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p, text in project.files.items() if text])
    yield ask(
        rng,
        """
        how many lines (does {path} have|are in {path}|has {path}|of text are in {path})
        (count|count the) lines (of|in) {path}
        how long is {path}
        (number of|tell me the number of) lines (in|of) {path}
        line count of {path}
        {path}: how many lines
        """,
        path=path,
    )
    result = yield program(f'print(len(read_file("{path}").splitlines()))')
    yield answer(f"{path} has {count(int(result.text), 'line')}.")


@intent("read", 2)
def config_value(project: Project, rng: Voice) -> Script:
    path, key = project.config_file, rng.choice(list(project.config))
    words = key.replace("_", " ") if rng.random() < 0.5 else key
    yield ask(
        rng,
        """
        what is the {key} in {path}
        (which|what) {key} (is set|is configured|do we use|stands) in {path}
        (get|read|show|print|look up|tell me) the {key} (from|in|of) {path}
        what value does {key} have in {path}
        {key} in {path}
        (find|give me) the value of {key} in {path}
        what does {path} say about the {key}
        """,
        path=path,
        key=words,
    )
    result = yield program(f'data = json.loads(read_file("{path}"))\nprint(data["{key}"])')
    yield answer(f"The {words} in {path} is {result.text.strip()}.")


@intent("read", 0.9)
def config_keys(project: Project, rng: Voice) -> Script:
    path = project.config_file
    yield ask(
        rng,
        """
        (which|what) (keys|settings|options) (does {path} have|are in {path})
        (list|show|print) the (keys|settings) (of|in) {path}
        what can be set in {path}
        names of the settings in {path}
        (which|what) values can I change in {path}
        give me an overview of the keys in {path}
        """,
        path=path,
    )
    result = yield program(f'data = json.loads(read_file("{path}"))\nfor key in data:\n    print(key)')
    yield answer(f"{path} has {listed(result.text.split())}.")


@intent("read", 0.9)
def project_field(project: Project, rng: Voice) -> Script:
    key = rng.choice(["version", "name", "requires-python"])
    words = {"requires-python": "required Python version"}.get(key, key)
    yield ask(
        rng,
        """
        what is the {words} (of the project|) in pyproject.toml
        (which|what) {words} does pyproject.toml (have|give|state|name)
        (read|get|show|look up) the {words} (from|in) pyproject.toml
        what {words} does this project have
        tell me the {words} of this project
        look into pyproject.toml for the {words}
        {words} of this project
        """,
        words=words,
    )
    result = yield program(
        f'for line in read_file("pyproject.toml").splitlines():\n    if line.startswith("{key} "):\n        print(line)'
    )
    value = result.text.split("=", 1)[1].strip().strip('"')
    yield answer(f"The {words} in pyproject.toml is {value}.")


@intent("read", 1.4)
def definitions(project: Project, rng: Voice) -> Script:
    word, kind = rng.choice([("def", "functions"), ("class", "classes")])
    holders = [p for p in project.modules if re.search(rf"^{word} ", project.files[p], re.MULTILINE)]
    if not holders:
        raise Unsuitable
    path = rng.choice(holders)
    yield ask(
        rng,
        """
        (which|what) {kind} (are|are defined) in {path}
        (which|what) {kind} does {path} (define|have|contain)
        (list|show|show me|name|print) (the|all|) {kind} (in|of|defined in) {path}
        names of the {kind} in {path}
        give me an overview of the {kind} of {path}
        {path}: which {kind} are there
        """,
        path=path,
        kind=kind,
    )
    result = yield program(
        f'for line in read_file("{path}").splitlines():\n    if line.startswith("{word} "):\n        print(line)'
    )
    found = re.findall(rf"^{word} (\w+)", result.text, re.MULTILINE)
    yield answer(f"{path} defines {listed(found)}.")


@intent("read", 1)
def count_definitions(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p in project.modules if project.files[p]])
    start, thing = rng.choice(
        [("def ", "function"), ("class ", "class"), ("import ", "plain import"), ("# TODO", "TODO")]
    )
    words = "classes" if thing == "class" else f"{thing}s"
    yield ask(
        rng,
        """
        how many {words} (are|are there) in {path}
        how many {words} does {path} have
        count the {words} (in|of) {path}
        number of {words} in {path}
        tell me the number of {words} in {path}
        (read {path} and count|count) the {words} in {path}
        """,
        path=path,
        words=words,
    )
    result = yield program(
        f'lines = read_file("{path}").splitlines()\nprint(len([line for line in lines if line.startswith("{start}")]))'
    )
    number = int(result.text)
    yield answer(f"{path} has {number or 'no'} {thing if number == 1 else words}.")


@intent("read", 1)
def mentions(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p, text in project.files.items() if text])
    inside = re.findall(r"[A-Za-z]{4,}", project.files[path])
    needle = rng.choice(inside) if rng.random() < 0.6 else names.word(rng)
    yield ask(
        rng,
        """
        does {path} (mention|contain|use|have) {needle}
        is {needle} (mentioned|used|anywhere) in {path}
        does the word {needle} (occur|appear) in {path}
        check (if|whether) {path} (contains|mentions) {needle}
        is there a {needle} in {path}
        look whether {needle} stands in {path}
        """,
        path=path,
        needle=needle,
    )
    result = yield program(f'print({json.dumps(needle)} in read_file("{path}"))')
    yes = result.text.strip() == "True"
    yield answer(f"{'Yes' if yes else 'No'}, {path} {'contains' if yes else 'does not contain'} {needle}.")


@intent("read", 1)
def first_lines(project: Project, rng: Voice) -> Script:
    number = rng.randint(1, 4)
    path = rng.choice([p for p, text in project.files.items() if text.count("\n") >= number])
    words = "line" if number == 1 else f"{number} lines"
    yield ask(
        rng,
        """
        (show|show me|print|give me|read) the first {words} of {path}
        what {verb} the first {words} of {path}
        first {words} of {path}
        head of {path}, {words}
        how does {path} begin, show {words}
        only the first {words} of {path}
        """,
        path=path,
        words=words,
        verb="is" if number == 1 else "are",
    )
    code = f'lines = read_file("{path}").splitlines()\nfor line in lines[:{number}]:\n    print(line)'
    yield program(code)
    yield answer(f"The first {words} of {PurePosixPath(path).name}:\n\n{OUTPUT_LINE}")


@intent("read", 0.9)
def last_line(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p, text in project.files.items() if text and not p.endswith(".py")])
    yield ask(
        rng,
        """
        (show|show me|print|read|give me) the last line of {path}
        what is the last line (of|in) {path}
        last line of {path}
        how does {path} end
        which line comes last in {path}
        the end of {path}, only one line
        """,
        path=path,
    )
    result = yield program(f'lines = read_file("{path}").splitlines()\nprint(lines[-1])')
    yield answer(f"The last line of {path} is: {result.text.strip()}")


def _table(project: Project, rng: Voice) -> tuple[str, str]:
    """A CSV file and the name of its number column."""
    tables = [p for p in project.files if p.endswith(".csv")]
    if not tables:
        raise Unsuitable
    return tables[0], project.files[tables[0]].partition("\n")[0].split(",")[1]


@intent("read", 1)
def sum_column(project: Project, rng: Voice) -> Script:
    path, column = _table(project, rng)
    yield ask(
        rng,
        """
        what is the sum of {column} in {path}
        (sum|add) up the {column} column of {path}
        total {column} in {path}
        how (much|many) {column} (are|is) in {path} altogether
        add all {column} values of {path}
        compute the total of {column} from {path}
        """,
        path=path,
        column=column,
    )
    result = yield program(
        f'rows = [line.split(",") for line in read_file("{path}").splitlines()[1:]]\n'
        "print(sum(int(row[1]) for row in rows))"
    )
    yield answer(f"The {column} in {path} add up to {result.text.strip()}.")


@intent("read", 0.9)
def largest_row(project: Project, rng: Voice) -> Script:
    path, column = _table(project, rng)
    yield ask(
        rng,
        """
        which row of {path} has the (largest|highest|most) {column}
        what has the (highest|largest) {column} in {path}
        find the largest {column} in {path}
        where is {column} the highest in {path}
        top {column} of {path}
        who is first by {column} in {path}
        """,
        path=path,
        column=column,
    )
    result = yield program(
        f'rows = [line.split(",") for line in read_file("{path}").splitlines()[1:]]\n'
        "best = max(rows, key=lambda row: int(row[1]))\nprint(best[0], best[1])"
    )
    name, value = result.text.split()
    yield answer(f"{name} has the largest {column} in {path}: {value}.")


@intent("read", 0.8)
def count_records(project: Project, rng: Voice) -> Script:
    path, _ = _table(project, rng)
    yield ask(
        rng,
        """
        how many (rows|records|entries) does {path} have
        count the (rows|records|entries) (of|in) {path}
        how many rows of data are in {path}
        number of (rows|records) in {path} without the header
        how big is the table {path}
        how many entries are listed in {path}
        """,
        path=path,
    )
    result = yield program(f'rows = read_file("{path}").splitlines()[1:]\nprint(len(rows))')
    yield answer(f"{path} has {count(int(result.text), 'row')} of data.")


@intent("read", 1)
def longer_file(project: Project, rng: Voice) -> Script:
    first, second = rng.sample([p for p, text in project.files.items() if text], 2)
    yield ask(
        rng,
        """
        which is longer, {a} or {b}
        compare the length of {a} and {b}
        does {a} or {b} have more lines
        is {a} longer than {b}
        lines of {a} against {b}
        read {a} and {b} and tell me which has more lines
        """,
        a=first,
        b=second,
    )
    result = yield program(f'for path in ["{first}", "{second}"]:\n    print(path, len(read_file(path).splitlines()))')
    (a, m), (b, n) = (line.split() for line in result.text.splitlines())
    if m == n:
        yield answer(f"Both have {count(int(m), 'line')}.")
    else:
        more, less = ((a, m), (b, n)) if int(m) > int(n) else ((b, n), (a, m))
        yield answer(f"{more[0]} is longer: {more[1]} lines against {less[1]} in {less[0]}.")
