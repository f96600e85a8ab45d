"""Values, tables and texts of richer projects: TOML, CSV, changelogs, docstrings, and changes to them."""

import json

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed, quoted
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.projects import Project


def _setting(project: Project, rng: Voice) -> tuple[str, str, str]:
    """The TOML file, a section and a key of it."""
    if not project.toml:
        raise Unsuitable
    section = rng.choice(sorted(project.toml))
    return project.toml_file, section, rng.choice(sorted(project.toml[section]))


def _words(rng: Voice, key: str) -> str:
    return key.replace("_", " ") if rng.random() < 0.6 else key


@intent("text", 2)
def toml_value(project: Project, rng: Voice) -> Script:
    path, section, key = _setting(project, rng)
    yield ask(
        rng,
        """
        what is the {key} of {section} in {path}
        (which|what) {key} does {section} have in {path}
        according to {path}, what is the {key} of {section}
        how (high|large) is the {key} of {section}? it is in {path}
        look up {section}, {key} in {path}
        (tell me|read me) the {key} of {section} from {path}
        {path} has a {section} section: what does it say for {key}
        what did we set as {key} for {section}, see {path}
        """,
        path=path,
        section=section,
        key=_words(rng, key),
    )
    yield program(f'print(read_file("{path}"))')
    value = project.toml[section][key]
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    yield answer(f"The {key} of {section} in {path} is {shown}.")


@intent("text", 1.6)
def set_toml(project: Project, rng: Voice) -> Script:
    path, section, key = _setting(project, rng)
    old = project.toml[section][key]
    if isinstance(old, bool):
        new: object = not old
        written, was = str(new).lower(), str(old).lower()
    elif isinstance(old, int):
        new = names.number(rng)
        written, was = str(new), str(old)
    else:
        new = names.word(rng)
        written, was = f'"{new}"', f'"{old}"'
    line = f"{key} = {was}"
    if project.files[path].count(line) != 1 or written == was:
        raise Unsuitable
    yield ask(
        rng,
        """
        set the {key} of {section} to {new} in {path}
        in {path} the {key} of {section} (must|should) be {new}, leave the rest
        change {key} of {section} in {path} to {new}
        {section}: make the {key} {new} ({path}), nothing else
        put {new} as {key} for {section} into {path}
        raise or lower the {key} of {section} in {path}: it is {new} from now on
        """,
        path=path,
        section=section,
        key=_words(rng, key),
        new=str(new).lower() if isinstance(new, bool) else new,
    )
    yield program(f'print(read_file("{path}"))')
    result = yield program(
        f'text = read_file("{path}").replace({quoted(line)}, {quoted(f"{key} = {written}")})\n'
        f'print(write_file("{path}", text))'
    )
    if refused(result):
        yield answer(f"The change to {path} was refused, so nothing was changed.")
    else:
        yield answer(f"The {key} of {section} in {path} is {written} now; it was {was}.")


@intent("text", 1.8)
def table_lookup(project: Project, rng: Voice) -> Script:
    if not project.table:
        raise Unsuitable
    path, (header, *rows) = project.table_file, project.table
    row, column = rng.choice(rows), rng.randrange(1, len(header))
    yield ask(
        rng,
        """
        what {column} does {name} have in {path}
        how (much|many|high) is the {column} of {name} in {path}
        look up the {column} of {name} in {path}
        {name}'s {column} in {path}
        which {column} (stands|is given) for {name} in {path}
        from {path}, give me the {column} for {name}
        """,
        path=path,
        name=row[0],
        column=header[column],
    )
    result = yield program(
        f'lines = read_file("{path}").splitlines()\nprint(lines[0])\n'
        f'for line in lines:\n    if line.startswith("{row[0]},"):\n        print(line)'
    )
    if result.text.count("\n") > 2:
        raise Unsuitable
    yield answer(f"The {header[column]} of {row[0]} in {path} is {row[column]}.")


@intent("text", 1.6)
def table_extreme(project: Project, rng: Voice) -> Script:
    if not project.table:
        raise Unsuitable
    path, (header, *rows) = project.table_file, project.table
    column = rng.randrange(1, len(header))
    most = rng.random() < 0.6
    values = [int(row[column]) for row in rows]
    if len(set(values)) < len(values):
        raise Unsuitable
    yield ask(
        rng,
        """
        (who|which one) has the {most} {column} in {path}
        which {first} in {path} has the {most} {column}, and how much
        find the {most} {column} in {path}
        whose {column} is the {most} in {path}
        {path}: the {first} with the {most} {column}
        look into {path} and tell me who has the {most} {column}
        """,
        path=path,
        most=rng.choice(["highest", "most", "largest"] if most else ["lowest", "least", "smallest"]),
        column=header[column],
        first=header[0],
    )
    picked = "max" if most else "min"
    result = yield program(
        f'rows = [line.split(",") for line in read_file("{path}").splitlines()]\n'
        f'column = rows[0].index("{header[column]}")\n'
        f"row = {picked}(rows[1:], key=lambda row: int(row[column]))\nprint(row[0], row[column])"
    )
    name, value = result.text.split()
    yield answer(f"{name}, with {value}.")


@intent("text", 1.4)
def add_table_row(project: Project, rng: Voice) -> Script:
    if not project.table:
        raise Unsuitable
    path, (header, *_) = project.table_file, project.table
    line = ",".join([names.word(rng), *(str(rng.randint(1, 99)) for _ in header[1:])])
    yield ask(
        rng,
        """
        add {text} as the last line of {path}
        (append|add) this row to {path}: {text}
        put a new row into {path}, at the end: {text}
        {path} needs one more line: {text}
        add this at the bottom of {path}: {text}
        new entry for {path}: {text}
        """,
        path=path,
        text=line,
    )
    result = yield program(
        f'text = read_file("{path}")\nwrite_file("{path}", text + "{line}\\n")\n'
        f'print(read_file("{path}").splitlines()[-1])'
    )
    if refused(result):
        yield answer(f"The change to {path} was refused, so nothing was added.")
    else:
        yield answer(f"Added {line} as the last line of {path}.")


@intent("text", 1.2)
def bump_version(project: Project, rng: Voice) -> Script:
    old = project.files["pyproject.toml"].split('version = "')[1].split('"')[0]
    major, minor, patch = (int(part) for part in old.split("."))
    new = rng.choice([f"{major + 1}.0.0", f"{major}.{minor + 1}.0", f"{major}.{minor}.{patch + 1}"])
    yield ask(
        rng,
        """
        (bump|raise|set) the version (in pyproject.toml|of the project|) to {new}
        the next version is {new}, (change|update|put it into) pyproject.toml
        release {new}: change the version in pyproject.toml
        version {new} please, in pyproject.toml
        make it version {new}
        we are at {new} now, update pyproject.toml
        """,
        new=new,
    )
    result = yield program(
        'for line in read_file("pyproject.toml").splitlines():\n    if line.startswith("version"):\n        print(line)'
    )
    was = result.text.split('"')[1]
    result = yield program(
        f'text = read_file("pyproject.toml")\n'
        f'write_file("pyproject.toml", text.replace(\'version = "{was}"\', \'version = "{new}"\'))\n'
        'print("changed")'
    )
    if refused(result):
        yield answer("The change to pyproject.toml was refused; the version is still " + was + ".")
    else:
        yield answer(f"The version in pyproject.toml is {new} now; it was {was}.")


@intent("text", 1)
def newest_change(project: Project, rng: Voice) -> Script:
    if "CHANGELOG.md" not in project.files:
        raise Unsuitable
    yield ask(
        rng,
        """
        what is the newest entry (of|in) CHANGELOG.md
        which version is on top of CHANGELOG.md
        what changed in the latest version, see CHANGELOG.md
        what does CHANGELOG.md say about the last release
        the top entry of CHANGELOG.md please
        newest version in CHANGELOG.md and what it brought
        """,
    )
    yield program('print(read_file("CHANGELOG.md"))')
    top = project.files["CHANGELOG.md"].split("## ")[1]
    version, _, text = top.partition("\n\n- ")
    yield answer(f"The newest entry is {version}: {text.strip()}.")


@intent("text", 1)
def empty_file(project: Project, rng: Voice) -> Script:
    path = rng.choice([f"{project.package}/py.typed", f"{names.folder(rng)}/__init__.py", f"{names.stem(rng)}.txt"])
    if path in project.files:
        raise Unsuitable
    yield ask(
        rng,
        """
        (make|create) an empty {path}
        (make|create) an empty file {path}
        I need {path}, empty
        touch {path}
        add {path} with nothing in it
        put an empty file at {path}
        """,
        path=path,
    )
    result = yield program(f'print(write_file("{path}", ""))')
    if refused(result):
        yield answer(f"Writing {path} was refused, so nothing was made.")
    else:
        yield answer(f"Created {path}; it is empty.")


@intent("text", 1.6)
def lines_of_text(project: Project, rng: Voice) -> Script:
    path = f"{names.stem(rng)}.{rng.choice(['txt', 'md', 'csv'])}"
    items = [names.phrase(rng) for _ in range(rng.randint(2, 4))]
    joined = rng.choice(["; ", ", ", " / "]).join(items)
    yield ask(
        rng,
        """
        (make|create|write) {path} with a line for each of: {text}
        write these lines to {path}: {text}
        put into {path}, one (a|per) line: {text}
        {path} should have {n} lines: {text}
        a new file {path}, line by line: {text}
        start {path} with these lines: {text}
        """,
        path=path,
        text=joined,
        n=len(items),
    )
    result = yield program(f'print(write_file("{path}", {quoted("".join(f"{item}" + chr(10) for item in items))}))')
    if refused(result):
        yield answer(f"Writing {path} was refused, so nothing was made.")
    else:
        yield answer(f"Created {path} with {count(len(items), 'line')}.")


@intent("text", 1.2)
def json_file(project: Project, rng: Voice) -> Script:
    path = f"{rng.choice(['', 'data/'])}{names.stem(rng)}.json"
    values = {names.word(rng): rng.choice([names.number(rng), names.word(rng)]) for _ in range(rng.randint(1, 3))}
    told = rng.choice([", ", " and "]).join(f"{key} {value}" for key, value in values.items())
    yield ask(
        rng,
        """
        (make|create|write) {path} (with|holding) {told}
        I need a json file {path}: {told}
        put {told} into a new json file {path}
        {path} as json: {told}
        save {told} as json in {path}
        a file {path}, json, with the keys and values {told}
        """,
        path=path,
        told=told,
    )
    result = yield program(f'print(write_file("{path}", json.dumps({json.dumps(values)}, indent=2) + "\\n"))')
    if refused(result):
        yield answer(f"Writing {path} was refused, so nothing was made.")
    else:
        yield answer(f"Created {path} with {listed(list(values))}.")


@intent("text", 1.2)
def section_of_readme(project: Project, rng: Voice) -> Script:
    name = project.files["README.md"].rpartition("\n## ")[2].partition("\n")[0]
    yield ask(
        rng,
        """
        what does the README say under {name}
        what stands in the {name} section of README.md
        (show|read) me the {name} (part|section) of the README
        README.md, section {name}: what is in it
        does the README have {name}? what do they say
        the {name} of README.md please
        """,
        name=name,
    )
    yield program(f'text = read_file("README.md")\nprint(text.split("## {name}")[1].split("## ")[0].strip())')
    yield answer(f"README.md says under {name}:\n\n{OUTPUT_LINE}")


@intent("text", 1.2)
def docstrings(project: Project, rng: Voice) -> Script:
    path = project.package
    yield ask(
        rng,
        """
        what does each module (in|of) {path} do, by its docstring
        the first line of every module in {path}
        list the modules of {path} with their first line
        give me an overview of {path}: module and docstring
        (print|show) the docstring of each file in {path}
        which module of {path} does what, in one line each
        """,
        path=path,
    )
    result = yield program(
        f'for path in run_command(["find", "{path}", "-name", "*.py"]).stdout.split():\n'
        "    text = read_file(path)\n    if text:\n        print(path, text.splitlines()[0].strip('\"'))"
    )
    if result.error:
        raise Unsuitable
    yield answer(f"Modules of {path} and their first lines:\n\n{OUTPUT_LINE}")


@intent("text", 1.2)
def run_and_read(project: Project, rng: Voice) -> Script:
    """What a script prints, one figure of it, what it says on stderr, and its exit code."""
    if not project.script:
        raise Unsuitable
    path = project.script
    what, told = rng.choice(
        [
            ("what total does it print", "stdout"),
            ("what is the total", "stdout"),
            ("how many lines does it print", "lines"),
            ("what does it write to stderr", "stderr"),
            ("how many warnings go to stderr", "errors"),
            ("what is its exit code", "code"),
        ]
    )
    yield ask(
        rng,
        """
        run {path}: {what}
        run {path} with python and tell me: {what}
        start {path}; {what}
        {what} when you run {path}
        execute {path} and answer this: {what}
        I want to know from a run of {path}: {what}
        """,
        path=path,
        what=what,
    )
    printed = {
        "stdout": "result.stdout",
        "lines": "len(result.stdout.splitlines())",
        "stderr": "result.stderr",
        "errors": "len(result.stderr.splitlines())",
        "code": "result.exit_code",
    }[told]
    result = yield program(f'result = run_command(["python3", "{path}"])\nprint({printed})')
    if refused(result):
        yield answer(f"Running {path} was refused, so I do not know.")
    elif told == "stdout":
        yield answer(f"The total is {project.script_total}.")
    elif told == "stderr":
        yield answer(f"{path} writes to stderr: {result.text.strip()}")
    else:
        noun = {"lines": "on stdout", "errors": "on stderr"}.get(told)
        number = int(result.text)
        lines = f"{number or 'no'} {'line' if number == 1 else 'lines'}"
        yield answer(f"It is {lines} {noun}." if noun else f"The exit code of {path} is {number}.")


@intent("text", 1)
def python_files(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        how many (python files|.py files) (are there|does the project have|do we have)
        count the (python|.py) files (of the project|here|in this project)
        number of python files, tests included
        how many modules are there altogether
        how many files end in .py
        is this project big? count its .py files
        """,
    )
    result = yield program('print(len(run_command(["find", ".", "-name", "*.py"]).stdout.splitlines()))')
    yield answer(f"There are {count(int(result.text), '.py file')}.")


@intent("text", 1)
def longest_file(project: Project, rng: Voice) -> Script:
    path = project.package
    yield ask(
        rng,
        """
        which (file|module) (in|of|below) {path} is the longest
        the longest module of {path}, in lines
        what is the biggest file in {path}, by lines
        find the module of {path} with the most lines
        which file under {path} has the most lines, and how many
        longest file in {path}
        """,
        path=path,
    )
    result = yield program(
        f'paths = run_command(["find", "{path}", "-name", "*.py"]).stdout.split()\n'
        "path = max(paths, key=lambda path: len(read_file(path).splitlines()))\n"
        "print(path, len(read_file(path).splitlines()))"
    )
    if result.error:
        raise Unsuitable
    name, number = result.text.split()
    yield answer(f"{name} is the longest, with {number} lines.")
