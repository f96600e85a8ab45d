"""Look-ups in CSV tables, asked for in many ways. The table is looked at first; then a column is found by its name."""

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed
from punie_cli.rows.intents.looking import look, rows_of
from punie_cli.rows.project import Project

_COLUMNS = ("price", "size", "height", "year", "stock", "grade", "age", "length", "score")


def some_table(project: Project, rng: Voice) -> tuple[str, list[str], list[list[str]]]:
    """A table of the project with its header and rows."""
    tables = [path for path in project.files if path.endswith(".csv")]
    if not tables:
        raise Unsuitable
    path = rng.choice(tables)
    header, *rows = (line.split(",") for line in project.files[path].splitlines())
    return path, header, rows


@intent("reading", 2.4)
def cell_of_table(project: Project, rng: Voice) -> Script:
    """The value of a column for a name; one in six asks for a name or a column that is not there."""
    path, header, rows = some_table(project, rng)
    name, column = rng.choice(rows)[0], rng.choice(header[1:])
    roll = rng.random()
    if roll < 0.1:
        name = names.word(rng)
    elif roll < 0.17:
        column = rng.choice(_COLUMNS)
    yield ask(
        rng,
        """
        {name} {column} {path}
        {column} of {name}, {path}
        {path}: {column} of {name}?
        {path}, row {name}, column {column}
        {name} in {path}: {column}?
        what is the {column} of {name}? see {path}
        what's {name}'s {column} according to {path}
        which {column} has {name} in {path}
        what does {path} give as {column} for {name}
        how much is the {column} for {name} in {path}
        I need the {column} of {name} from {path}
        find {name} in {path} and tell me the {column}
        the {column} for {name}, it is in {path}
        in the table {path}, what {column} belongs to {name}
        could you look {name} up in {path}? I want the {column}
        {name} asked me about the {column}. what does {path} say
        just one number from {path}: {column} of {name}
        tell me {name}'s {column}, the table is {path}
        check {path} for the {column} of {name}
        can you read the {column} of {name} off {path}
        """,
        path=path,
        name=name,
        column=column,
    )
    yield look(path)
    if column not in header:
        yield answer(f"There is no column {column} in {path}. It has {listed(header)}.")
        return
    result = yield program(
        rows_of(path) + f'for row in rows:\n    if row["{header[0]}"] == "{name}":\n        print(row["{column}"])'
    )
    values = result.text.split()
    if not values:
        yield answer(f"There is no {name} in {path}.")
    elif len(values) == 1:
        yield answer(f"The {column} of {name} in {path} is {values[0]}.")
    else:
        yield answer(f"{name} is in {path} {len(values)} times, with the {column} {listed(values)}.")


@intent("reading", 1.6)
def name_of_value(project: Project, rng: Voice) -> Script:
    path, header, rows = some_table(project, rng)
    place = rng.randrange(1, len(header))
    value = rng.choice(rows)[place] if rng.random() < 0.85 else str(rng.randint(500, 900))
    yield ask(
        rng,
        """
        {column} {value} in {path}: who
        {path}, {column} {value}?
        {path}: which {first} has {column} {value}
        who has the {column} {value} in {path}
        who has {value} as {column} in {path}
        which {first} in {path} has a {column} of {value}
        whose {column} is {value} in {path}
        for which {first} does {path} list {column} {value}
        find the {first} with {column} {value} in {path}
        I need the {first} whose {column} is {value}, see {path}
        the {first} that has {value} {column} in {path}
        is there a {first} with {column} {value} in {path}, and which
        look through {path} for a {column} of {value} and name it
        someone in {path} has {column} {value}, who is it
        what {first} belongs to {column} {value} in {path}
        {value} is a {column} in {path}. of which {first}
        could you tell me which row of {path} has {column} {value}
        in {path} one {first} has the {column} {value}. name it
        """,
        path=path,
        first=header[0],
        column=header[place],
        value=value,
    )
    yield look(path)
    result = yield program(
        rows_of(path)
        + f'for row in rows:\n    if row["{header[place]}"] == "{value}":\n        print(row["{header[0]}"])'
    )
    found = result.text.split()
    if found:
        yield answer(f"In {path}, {listed(found)} {'has' if len(found) == 1 else 'have'} the {header[place]} {value}.")
    else:
        yield answer(f"There is no {header[place]} {value} in {path}.")


@intent("reading", 1.8)
def peak_of_table(project: Project, rng: Voice) -> Script:
    path, header, rows = some_table(project, rng)
    place = rng.randrange(1, len(header))
    values = [int(row[place]) for row in rows]
    if len(set(values)) < len(values):
        raise Unsuitable
    most = rng.random() < 0.55
    yield ask(
        rng,
        """
        {most} {column} {path}
        {path}: {most} {column}?
        {most} {column} in {path}, who
        {path}, who has the {most} {column}
        which row of {path} has the {most} {column}
        what is the {most} {column} in {path}, and whose is it
        the {first} with the {most} {column} in {path}
        name the {first} with the {most} {column}, table {path}
        who is at the {end} by {column} in {path}
        sort {path} by {column} in your head: who is at the {end}
        I want to know which {first} has the {most} {column} in {path}
        by {column}, who comes {out} in {path}
        go through {path} and find the {most} {column}
        of all in {path}, who has the {most} {column}
        can you find the row with the {most} {column} in {path}
        in {path}, where is the {column} {most}
        for the report: {most} {column} of {path} with its {first}
        waht is the {most} {column} in {path}
        tell me the {most} {column} from {path} and the {first}
        """,
        path=path,
        most=rng.choice(["largest", "highest", "biggest", "maximum"] if most else ["smallest", "lowest", "minimum"]),
        end="top" if most else "bottom",
        out="first" if most else "last",
        column=header[place],
        first=header[0],
    )
    picked, name, column = "max" if most else "min", header[0], header[place]
    yield look(path)
    result = yield program(
        rows_of(path)
        + f'row = {picked}(rows, key=lambda row: int(row["{column}"]))\nprint(row["{name}"], row["{column}"])'
    )
    name, value = result.text.split()
    yield answer(f"{name} has the {'largest' if most else 'smallest'} {header[place]} in {path}: {value}.")


@intent("reading", 1.8)
def sum_of_table(project: Project, rng: Voice) -> Script:
    path, header, _ = some_table(project, rng)
    mean = rng.random() < 0.25
    column = rng.choice(header[1:])
    if rng.random() < 0.08:
        column = rng.choice(_COLUMNS)
    words = rng.choice(["average", "mean"] if mean else ["sum", "total"])
    yield ask(
        rng,
        """
        {words} {column} {path}
        {path} {words} of {column}
        {path}: {words} of {column}?
        {words} of the {column} column, {path}
        the {words} of {column} over all rows of {path}
        what {words} does the column {column} of {path} have
        what's the {words} of all {column} in {path}
        which {words} do you get for {column} in {path}
        (compute|work out|calculate) the {words} of {column} in {path}
        take the column {column} of {path} and give me the {words}
        I need the {words} of {column} from {path}
        could you get the {words} of {column} out of {path}
        for the invoice I need the {words} of {column} in {path}
        read {path} and tell me the {words} of {column}
        how large is the {words} of {column} in {path}
        do the maths on {path}: {words} of {column}
        {column} in {path}: what is the {words}
        tell me the {words} {column} of everything in {path}
        """,
        path=path,
        column=column,
        words=words,
    )
    code = "print(round(sum(values) / len(values), 2))" if mean else "print(sum(values))"
    yield look(path)
    if column not in header:
        yield answer(f"There is no column {column} in {path}. It has {listed(header)}.")
        return
    result = yield program(rows_of(path) + f'values = [int(row["{column}"]) for row in rows]\n{code}')
    yield answer(f"The {'average' if mean else 'sum'} of {column} in {path} is {result.text.strip()}.")


@intent("reading", 1.8)
def rows_beyond(project: Project, rng: Voice) -> Script:
    path, header, rows = some_table(project, rng)
    place = rng.randrange(1, len(header))
    values = sorted(int(row[place]) for row in rows)
    above = rng.random() < 0.65
    number = rng.choice(values) // 10 * 10
    counted = rng.random() < 0.3
    yield ask(
        rng,
        """
        {path}: how many rows have {column} {above} {n}
        number of rows with {column} {above} {n} in {path}
        count the rows of {path} where {column} is {above} {n}
        how many have a {column} {above} {n} in {path}
        {column} {above} {n} in {path}, how many
        just the number of rows in {path} with a {column} {above} {n}
        how often is {column} {above} {n} in {path}
        tell me how many in {path} have {column} {above} {n}
        in {path}, how many rows are {above} {n} by {column}
        could you count how many in {path} are {above} {n} in {column}
        I need a count from {path}: {column} {above} {n}
        of the rows in {path}, how many have {column} {above} {n}
        what number of rows in {path} has {column} {above} {n}
        {path} {column} {above} {n}, count only
        how many times does {path} have a {column} {above} {n}
        """
        if counted
        else """
        {column} {above} {n} in {path}
        {path}: {column} {above} {n}
        {path}, rows with {column} {above} {n}
        who has {column} {above} {n} in {path}
        which rows of {path} have a {column} {above} {n}
        which {first} has a {column} {above} {n} in {path}
        list everyone in {path} with {column} {above} {n}
        show the rows of {path} where {column} is {above} {n}
        filter {path}: {column} {above} {n}
        rows in {path}, only those with {column} {above} {n}
        find all with a {column} {above} {n} in {path}
        I want to see who is {above} {n} by {column} in {path}
        from {path} pick the rows whose {column} is {above} {n}
        is anybody in {path} {above} {n} in {column}, and who
        name those in {path} with a {column} {above} {n}
        could you list what in {path} has {column} {above} {n}
        for the prize: who in {path} has {column} {above} {n}
        {path} has a {column} column. who is {above} {n}
        """,
        path=path,
        column=header[place],
        above=rng.choice(["above", "over", "greater than", "more than"] if above else ["below", "under", "less than"]),
        first=header[0],
        n=number,
    )
    yield look(path)
    name, column = header[0], header[place]
    kept = f'int(row["{column}"]) {">" if above else "<"} {number}'
    if counted:
        result = yield program(rows_of(path) + f"print(len([row for row in rows if {kept}]))")
        held = f"{count(int(result.text), 'row')} with {header[place]}"
        yield answer(f"{path} has {held} {'above' if above else 'below'} {number}.")
        return
    result = yield program(
        rows_of(path) + f'for row in rows:\n    if {kept}:\n        print(row["{name}"], row["{column}"])'
    )
    found = [" with ".join(line.split()) for line in result.text.splitlines() if " " in line]
    where = f"{header[place]} {'above' if above else 'below'} {number}"
    if not found:
        yield answer(f"Nothing in {path} has a {where}.")
    elif len(found) > 4:
        yield answer(f"{len(found)} rows of {path} have a {where}:\n\n{OUTPUT_LINE}")
    else:
        yield answer(f"In {path}, {where}: {listed(found)}.")


@intent("reading", 1.2)
def end_of_table(project: Project, rng: Voice) -> Script:
    path, _, _ = some_table(project, rng)
    first = rng.random() < 0.5
    which = rng.choice(["first", "top"] if first else ["last", "bottom", "final"])
    yield ask(
        rng,
        """
        {which} row {path}
        {path} {which} row
        {path}: {which} row?
        {which} row of data in {path}
        {which} record of {path}, without the header
        the {which} entry of the table {path}
        what is the {which} row of {path}
        what does the {which} row in {path} say
        which entry is the {which} one in {path}
        which record stands {place} in {path}
        show me the {which} data row from {path}
        print the {which} row of the table in {path}
        I only want the {which} row of {path}, not the header
        (quote|copy) the {which} record from {path}
        could you read me the {which} row of {path}
        what did we enter {place} in {path}
        who is in the {which} row of {path}
        give me the {which} row, {path}
        """,
        path=path,
        which=which,
        place="first" if first else "last",
    )
    result = yield program(f'rows = read_file("{path}").splitlines()[1:]\nprint(rows[{0 if first else -1}])')
    yield answer(f"The {'first' if first else 'last'} row of {path} is: {result.text.strip()}")


@intent("reading", 1.4)
def size_of_table(project: Project, rng: Voice) -> Script:
    path, _, _ = some_table(project, rng)
    yield ask(
        rng,
        """
        rows in {path}?
        {path} rows
        {path}: how many rows
        how many rows has {path}
        count the rows in {path} without the header
        number of data rows, {path}
        how many records are in {path}
        how large is {path}, in rows
        what is the row count of {path}
        (say|tell me) how many entries {path} has
        I need to know how many rows are in {path}
        does {path} have many rows? count them, header left out
        could you count the records of {path}
        how many lines of data are there in {path}
        for the import: number of rows in {path}
        how many {things} are listed in {path}, header not counted
        is {path} a big table? tell me its rows
        total rows of {path}, not counting the header
        """,
        path=path,
        things=rng.choice(["things", "people", "names", "items"]),
    )
    result = yield program(f'rows = read_file("{path}").splitlines()[1:]\nprint(len(rows))')
    yield answer(f"{path} has {count(int(result.text), 'row')} of data.")


@intent("reading", 1)
def columns_of_table(project: Project, rng: Voice) -> Script:
    path, _, _ = some_table(project, rng)
    yield ask(
        rng,
        """
        columns of {path}
        {path} columns?
        {path}: header
        header of {path}
        what columns does {path} have
        which columns are in {path}
        what is in the header row of {path}
        what are the columns of {path} called
        (name|list) the columns in {path}
        I need the column names of {path}
        how is {path} laid out, which columns
        the header line of {path}, nothing more
        could you tell me the columns of {path}
        before I write the import: column names in {path}
        which fields does each row of {path} have
        just the names of the columns, {path}
        """,
        path=path,
    )
    result = yield program(f'print(read_file("{path}").splitlines()[0])')
    yield answer(f"{path} has the columns {listed(result.text.strip().split(','))}.")
