"""Rows of tables by what is in a cell, by gaps and by days; and one row more. All after a look at the file."""

import json
from random import Random

from punie_cli.agent.messages import answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, intent, listed
from punie_cli.rows.intents.asking import terse
from punie_cli.rows.intents.looking import column_of, look, rows_of
from punie_cli.rows.intents.writes import told
from punie_cli.rows.look_tables import Table
from punie_cli.rows.looks import looks
from punie_cli.rows.project import Project

WHICH = Forms(
    "look-which",
    """
    {things} that {does}, {path}
    {path}: {things} that {does}
    {path}, {things} that {does}?
    which {things} {does}, see {path}
    which {things} in {path} {does}
    which of the {things} in {path} {does}
    what {things} are there that {does}? {path}
    (list|show|name) the {things} that {does}, from {path}
    (give|get|find) me all {things} in {path} that {does}
    only the {things} that {does} please, {path}
    I want the {things} that {does}. they are in {path}
    pick those that {does} out of {path}
    filter {path} for {things} that {does}
    go through {path}: which {things} {does}
    names of the {things} that {does}, data in {path}
    I'm (making|writing) a list of {things} that {does}, {path} has them
    are there {things} in {path} that {does}? name them
    can you tell me which {things} {does}? look in {path}
    for tomorrow I need the {things} that {does}, see {path}
    """,
)
HOW_MANY = Forms(
    "look-how-many",
    """
    how many {things} {does}, {path}
    how many {things} in {path} {does}
    how many of the {things} in {path} {does}
    {path}: how many {things} {does}
    {path}, number of {things} that {does}
    count the {things} that {does}, {path}
    count in {path}: {things} that {does}
    number of {things} that {does}? see {path}
    # of {things} that {does}, data in {path}
    (just|only) a number from {path}: {things} that {does}
    what number of {things} {does} if you look at {path}
    (tell|give) me how many {things} {does}. list is {path}
    I need a count for the form: {things} that {does}, {path}
    can you count the {things} in {path} that {does}
    going by {path}, how many {things} {does}
    """,
)


@intent("look", 2)
def look_which(project: Project, rng: Voice) -> Script:
    """Names, or how many; the value may be written small in the question, never in the program."""
    table = looks(project).table
    _, column = column_of(table, rng, "c")
    place = table.header.index(column.header)
    value = rng.choice(table.rows)[place]
    said = value.lower() if rng.random() < 0.25 else value
    counted = rng.random() < 0.4
    does = rng.choice(column.does).format(v=said)
    forms = HOW_MANY if counted else WHICH
    yield terse(rng, forms, things=table.things, does=does, path=table.path)
    yield look(table.path)
    where = f'row["{column.header}"] == "{value}"'
    if counted:
        result = yield program(rows_of(table.path) + f"print(len([row for row in rows if {where}]))")
        yield answer(f"{table.path} has {table.many(int(result.text))} with {column.header} {value}.")
        return
    result = yield program(
        rows_of(table.path) + f'for row in rows:\n    if {where}:\n        print(row["{table.header[0]}"])'
    )
    found = result.text.splitlines()
    yield answer(f"In {table.path}, {table.many(len(found))} with {column.header} {value}: {listed(found)}.")


@intent("look", 1.4)
def look_blank(project: Project, rng: Voice) -> Script:
    table = looks(project).table
    place, column = column_of(table, rng, "d")
    if all(row[place] for row in table.rows) and rng.random() < 0.6:
        raise Unsuitable
    yield terse(
        rng,
        """
        {things} that {lacks}, {path}
        {path}: {things} that {lacks}
        {path}, any {things} that {lacks}?
        which are the {things} that {lacks}? {path}
        which {things} in {path} are those that {lacks}
        are there {things} that {lacks}, see {path}
        any {things} in {path} that {lacks}
        (list|show|name) the {things} that {lacks}, from {path}
        (find|get) all {things} in {path} that {lacks}
        I need the {things} that {lacks}. look at {path}
        what about {things} that {lacks}? are any in {path}
        look for gaps in {path}: {things} that {lacks}
        the audit asks for {things} that {lacks}, data in {path}
        did we forget some? {things} that {lacks}, {path}
        can you see in {path} which are the {things} that {lacks}
        names of all {things} that {lacks}, {path}
        """,
        things=table.things,
        lacks=rng.choice(column.lacks),
        path=table.path,
    )
    yield look(table.path)
    result = yield program(
        rows_of(table.path)
        + f'for row in rows:\n    if not row["{column.header}"]:\n        print(row["{table.header[0]}"])'
    )
    found = result.text.splitlines()
    if found:
        yield answer(f"{table.many(len(found))} in {table.path} without {column.header}: {listed(found)}.")
    else:
        yield answer(f"None: every {table.thing} in {table.path} has its {column.header}.")


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


@intent("look", 1.8)
def look_days(project: Project, rng: Voice) -> Script:
    """Before or after a day, inside a month or a year; days are texts that can be compared."""
    table = looks(project).table
    place, column = column_of(table, rng, "d")
    days = sorted(row[place] for row in table.rows if row[place])
    if not days:
        raise Unsuitable
    roll, cell = rng.random(), f'row["{column.header}"]'
    day = rng.choice((days[1:] if roll < 0.3 else days[:-1] if roll < 0.6 else days) or days)
    if roll < 0.3:
        when, code, rule = f"before {day}", f'"" < {cell} < "{day}"', f"before {day}"
    elif roll < 0.6:
        when, code, rule = f"{rng.choice(['after', 'later than'])} {day}", f'{cell} > "{day}"', f"after {day}"
    elif roll < 0.8:
        month = f"{_MONTHS[int(day[5:7]) - 1]} {day[:4]}"
        month = month.lower() if rng.random() < 0.3 else month
        when, code, rule = f"in {month}", f'{cell}.startswith("{day[:7]}")', f"in {day[:7]}"
    else:
        when, code, rule = f"in {day[:4]}", f'{cell}.startswith("{day[:4]}")', f"in {day[:4]}"
    counted = rng.random() < 0.25
    forms = HOW_MANY if counted else WHICH
    yield terse(rng, forms, things=table.things, does=f"{rng.choice(column.does)} {when}", path=table.path)
    yield look(table.path)
    if counted:
        result = yield program(rows_of(table.path) + f"print(len([row for row in rows if {code}]))")
        yield answer(f"{table.path} has {table.many(int(result.text))} with {column.header} {rule}.")
        return
    result = yield program(
        rows_of(table.path) + f"for row in rows:\n    if {code}:\n"
        f'        print(row["{table.header[0]}"], row["{column.header}"])'
    )
    found = [" on ".join(line.rsplit(" ", 1)) for line in result.text.splitlines()]
    if found:
        yield answer(f"With {column.header} {rule} in {table.path}: {listed(found)}.")
    else:
        yield answer(f"No {table.thing} in {table.path} has {column.header} {rule}.")


@intent("look", 1.6, alone=True)
def look_add_row(project: Project, rng: Voice) -> Script:
    """Values in any order where each is of its own kind; the cells stand in the order of the header."""
    table = looks(project).table
    name = names.word(rng).capitalize() + rng.choice(["", str(rng.randint(2, 9))])
    if name in [row[0] for row in table.rows]:
        raise Unsuitable
    cells = [_fresh(table, place, rng) for place in range(1, len(table.header))]
    said = list(cells)
    if len(table.of("n")) < 2:
        rng.shuffle(said)
    yield terse(
        rng,
        """
        add {name} to {path}: {values}
        {path}: add {name}, {values}
        {path}, new {thing} {name}: {values}
        new {thing} for {path}: {name}, {values}
        we got a new {thing}, {name}: {values}. put it into {path}
        put {name} into {path} too: {values}
        (append|enter|insert) {name} in {path} with {values}
        one more {thing} for {path}, called {name}: {values}
        {name} is missing from {path}. {values}
        please list {name} in {path} as well, {values}
        another row in {path} for {name}, {values}
        extend {path} by the {thing} {name}, {values}
        can you add the {thing} {name} to {path}? {values}
        write {name} down in {path}, at the end: {values}
        {name} came in this morning, {values}; add that to {path}
        there is a {thing} called {name} now. {values}. it belongs into {path}
        """,
        name=name,
        thing=table.thing,
        values=rng.choice([", ", ", ", " / ", "; "]).join(said),
        path=table.path,
    )
    yield look(table.path)
    line = table.line([name, *cells])
    if table.path.endswith(".json"):
        entry = json.dumps(table.entry([name, *cells]), ensure_ascii=False)
        result = yield program(
            f"{rows_of(table.path)}rows.append({entry})\n"
            f'print(write_file("{table.path}", json.dumps(rows, indent=2) + "\\n"))'
        )
        yield answer(told(result, table.path, f"Added {name} to {table.path}: {', '.join(cells)}."))
        return
    result = yield program(f'text = read_file("{table.path}")\nprint(write_file("{table.path}", text + "{line}\\n"))')
    yield answer(told(result, table.path, f"Added the row {line} to {table.path}."))


def _fresh(table: Table, place: int, rng: Random) -> str:
    """A cell that suits a column."""
    kind, known = table.columns[place - 1].kind, [row[place] for row in table.rows if row[place]]
    if kind == "n":
        return str(rng.randint(2, 2 * max(map(int, known))))
    return (
        f"202{rng.randint(1, 8)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}" if kind == "d" else rng.choice(known)
    )
