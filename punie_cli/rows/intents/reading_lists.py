"""What is in a file, as a list, and smaller things that one looks up in it, asked for in many ways."""

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed
from punie_cli.rows.intents.paths import base_name, contents, meant, toml_setting
from punie_cli.rows.intents.reading import SEE
from punie_cli.rows.intents.reading_tables import some_table
from punie_cli.rows.intents.reading_values import SIZE
from punie_cli.rows.project import Project


@intent("reading", 1.4)
def lines_between(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p, text in project.files.items() if text.count("\n") >= 5])
    total = project.files[path].count("\n")
    start = rng.randint(1, min(total - 2, 30))
    end = rng.randint(start + 1, min(total, start + 9))
    yield ask(
        rng,
        """
        {path} {a}-{b}
        {path}, lines {a}-{b}
        lines {a} to {b} of {path}
        {path} from line {a} to line {b}
        show lines {a}-{b} of {path}
        (print|quote|give me) lines {a} to {b} from {path}
        what is on lines {a} to {b} of {path}
        what do lines {a}-{b} in {path} say
        I need lines {a} through {b} of {path}
        read {path}, but only from line {a} to {b}
        just lines {a} to {b}, {path}
        the part of {path} between line {a} and line {b}
        could you show me {path} from {a} to {b}
        let me see {path}, lines {a} till {b}
        the review is about lines {a}-{b} of {path}, show them
        sed -n {a},{b}p {path}
        which code is at lines {a} to {b} in {path}
        """,
        path=path,
        a=start,
        b=end,
    )
    yield program(f'lines = read_file("{path}").splitlines()\nfor line in lines[{start - 1}:{end}]:\n    print(line)')
    yield answer(f"Lines {start} to {end} of {path}:\n\n{OUTPUT_LINE}")


@intent("reading", 1.2)
def keys_in_json(project: Project, rng: Voice) -> Script:
    path = project.config_file
    yield ask(
        rng,
        """
        keys in {path}?
        {path} keys
        {path}: which keys
        what keys does {path} hold
        what settings do we have in {path}
        which options are in {path}
        (name|tell me) the keys of {path}
        list what {path} configures
        just the key names in {path}, without the values
        I need all keys from {path}
        what does {path} let me configure
        could you list the keys in {path}
        which names are in the json file {path}
        open {path} and tell me which keys it has
        I don't know {path}. which settings are there
        for the docs: the settings of {path}
        top-level keys of {path}
        """,
        path=path,
    )
    result = yield program(f'data = json.loads(read_file("{path}"))\nfor key in data:\n    print(key)')
    yield answer(f"{path} has {listed(result.text.split())}.")


@intent("reading", 1.2)
def parts_of_toml(project: Project, rng: Voice) -> Script:
    """The sections of a TOML file, or the keys of one."""
    path, section, _ = toml_setting(project, rng)
    keys = rng.random() < 0.5
    yield ask(
        rng,
        """
        keys of [{section}] in {path}
        {path} [{section}]: which keys
        what is set under [{section}] in {path}
        which keys has {section} in {path}
        what can I set for {section} in {path}
        list the keys below {section} in {path}
        everything that {path} sets for {section}
        which settings does the section {section} of {path} have
        I need the names of the settings under {section} in {path}
        could you name the keys of {section} in {path}
        in {path}, what belongs to [{section}]
        {path} has a section {section}, which keys are in it
        open {path} and list what is under [{section}]
        what do we configure for {section} in {path}
        only the keys of {section}, {path}
        """
        if keys
        else """
        sections of {path}
        {path} sections?
        {path}: which sections
        which sections does {path} have
        what sections are in {path}
        how is {path} divided, by section
        list the sections of {path}
        the names of the tables in {path}
        which [sections] has the file {path}
        I need the section names from {path}
        could you tell me which sections {path} has
        open {path} and name its sections
        what parts does {path} consist of
        only the section headings of {path}
        which topics does {path} configure, by section
        """,
        path=path,
        section=section,
    )
    inside = f'["{section}"]' if keys else ""
    result = yield program(
        f'import tomllib\ndata = tomllib.loads(read_file("{path}"))\nfor key in data{inside}:\n    print(key)'
    )
    if result.error:
        raise Unsuitable
    found = listed(result.text.split())
    yield answer(f"{section} in {path} has {found}." if keys else f"{path} has the sections {found}.")


@intent("reading", 1.2)
def headings_of_text(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p in ("README.md", "CHANGELOG.md") if p in project.files])
    if "\n## " not in project.files[path]:
        raise Unsuitable
    yield ask(
        rng,
        """
        headings of {path}
        {path} headings?
        {path}: table of contents
        which sections are in {path}
        what sections does {path} have
        which headings are there in {path}
        (list|name|print) the headings in {path}
        outline of {path}
        what is {path} made of, by heading
        only the headings of {path} please
        I need an overview of {path}, the headings will do
        could you list the sections of {path}
        how is {path} structured
        give me the structure of {path}
        all lines of {path} that start with #
        which topics does {path} cover
        """,
        path=path,
    )
    yield program(f'for line in read_file("{path}").splitlines():\n    if line.startswith("#"):\n        print(line)')
    yield answer(f"The headings of {path}:\n\n{OUTPUT_LINE}")


@intent("reading", 1.4)
def row_of_name(project: Project, rng: Voice) -> Script:
    path, _, rows = some_table(project, rng)
    name = rng.choice(rows)[0] if rng.random() < 0.85 else names.word(rng)
    yield ask(
        rng,
        """
        {name} row, {path}
        {path}: row of {name}
        row {name} in {path}
        show the row of {name} from {path}
        what does {path} have about {name}
        what is in the row of {name} in {path}
        everything about {name} in {path}
        the whole line for {name} in {path}
        find {name} in {path} and print the row
        I need the entry for {name} from {path}
        which values does {name} have in {path}
        look {name} up in {path}, all columns
        is {name} in {path}? show the row
        could you print the record of {name} from {path}
        {name} is one of the rows in {path}, show it
        the full record of {name}, table {path}
        how does the row for {name} in {path} read
        """,
        path=path,
        name=name,
    )
    result = yield program(
        f'for line in read_file("{path}").splitlines():\n    if line.startswith("{name},"):\n        print(line)'
    )
    lines = result.text.split()
    if not lines:
        yield answer(f"There is no {name} in {path}.")
    elif len(lines) == 1:
        yield answer(f"The row of {name} in {path} is: {lines[0]}")
    else:
        yield answer(f"{path} has {len(lines)} rows of {name}: {listed(lines)}.")


@intent("reading", 1.2)
def values_of_column(project: Project, rng: Voice) -> Script:
    path, header, _ = some_table(project, rng)
    place = rng.randrange(len(header))
    yield ask(
        rng,
        """
        {column} column {path}
        {path}: all {column} values
        all values of {column} in {path}
        the {column} column of {path}
        which {column} values are in {path}
        what {column} values does {path} have
        what is in the column {column} of {path}
        list every {column} in {path}
        only the {column} column from {path}
        I need each {column} that {path} has
        (print|show|give me) the column {column}, {path}
        could you list the {column} of all rows in {path}
        read {path} and give me just {column}
        pull the {column} out of {path}
        {path} has a column {column}, what are its values
        go through {path} and print the {column} of each row
        """,
        path=path,
        column=header[place],
    )
    result = yield program(
        f'rows = [line.split(",") for line in read_file("{path}").splitlines()]\n'
        f'column = rows[0].index("{header[place]}")\nfor row in rows[1:]:\n    print(row[column])'
    )
    yield answer(f"The {header[place]} column of {path} has {listed(result.text.split())}.")


@intent("reading", 1.6, alone=True)
def see_base_name(project: Project, rng: Voice) -> Script:
    """The folder is left out; the error says where the file is."""
    small = [p for p, text in project.files.items() if "/" in p and 0 < text.count("\n") <= 20]
    if not small:
        raise Unsuitable
    path = rng.choice(small)
    base = base_name(project, rng, path)
    lines = rng.random() < 0.4
    yield ask(rng, SIZE if lines else SEE, path=base)
    first, last = ("print(len(read_file(", ").splitlines()))") if lines else ("print(read_file(", "))")
    result = yield program(f'{first}"{base}"{last}')
    if meant(result) != path:
        raise Unsuitable
    result = yield program(f'{first}"{path}"{last}')
    yield answer(f"{path} has {count(int(result.text), 'line')}." if lines else contents(path))
