"""Values, tables and texts of richer projects: TOML, CSV, changelogs, docstrings, and changes to them."""

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent
from punie_cli.rows.intents.paths import refused, toml_setting, worded
from punie_cli.rows.project import Project


@intent("text", 2)
def toml_value(project: Project, rng: Voice) -> Script:
    path, section, key = toml_setting(project, rng)
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
        key=worded(rng, key),
    )
    yield program(f'print(read_file("{path}"))')
    value = project.toml[section][key]
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    yield answer(f"The {key} of {section} in {path} is {shown}.")


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
