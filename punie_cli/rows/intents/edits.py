"""Changes to settings, tables and texts of richer projects, and new files."""

import json

from punie_cli.agent.messages import answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed, quoted
from punie_cli.rows.intents.paths import refused, toml_setting, worded
from punie_cli.rows.project import Project


@intent("text", 1.6)
def set_toml(project: Project, rng: Voice) -> Script:
    path, section, key = toml_setting(project, rng)
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
        key=worded(rng, key),
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
