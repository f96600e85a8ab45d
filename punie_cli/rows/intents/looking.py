"""Tables of which nobody told the columns: a look at the file first, then the answer, or a program that uses them."""

from random import Random

from punie_cli.agent.messages import OUTPUT_LINE, Message, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, intent, listed
from punie_cli.rows.intents.asking import terse
from punie_cli.rows.look_tables import Column, Table
from punie_cli.rows.looks import looks
from punie_cli.rows.project import Project

ASKED = Forms(
    "look-asked",
    """
    {q}, see {path}
    {q}, per {path}
    {q}? {path}
    {q} according to {path}
    {q}, the answer is in {path}
    {q}, going by {path}
    {q} - {path} has it
    {q}? should be in {path} somewhere
    {path}: {q}
    {path}, {q}
    {path} says it: {q}
    (look|have a look|peek) (into|in|at) {path}: {q}
    (open|consult|go through) {path}. {q}
    (quick|short|small) question on {path}: {q}
    somebody (on the phone|at the door|in chat) asks: {q}. it's in {path}
    before I (call|answer|write) them: {q}? {path} knows
    no idea how {path} is laid out, but {q}
    I (forgot|never know): {q}. {path} should tell
    can you (find out|dig out|look up) from {path}: {q}
    for my (report|mail|boss), from {path}: {q}
    I don't have {path} open. {q}
    we keep that in {path}: {q}
    one (thing|fact) from {path} only: {q}
    (the file|our list) {path} has this, {q}
    """,
)


def look(path: str) -> Message:
    """The program that only looks."""
    return program(f'print(read_file("{path}"))')


def article(thing: str) -> str:
    """The thing with `a` or `an`."""
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"


def rows_of(path: str) -> str:
    """How a program gets the rows, once it knows the columns."""
    if path.endswith(".json"):
        return f'rows = json.loads(read_file("{path}"))\n'
    return f'import csv\nrows = list(csv.DictReader(read_file("{path}").splitlines()))\n'


def number_of(table: Table, column: Column) -> str:
    """How a program gets the number of a row: texts of a CSV are no numbers yet."""
    cell = f'row["{column.header}"]'
    return cell if table.path.endswith(".json") else f"int({cell})"


def column_of(table: Table, rng: Random, kind: str) -> tuple[int, Column]:
    """A column of a kind with its place in a row."""
    places = table.of(kind)
    if not places:
        raise Unsuitable
    place = rng.choice(places)
    return place, table.columns[place - 1]


def _cell(table: Table, row: list[str], place: int) -> str:
    """What an answer says about a cell."""
    header = table.header[place]
    return f"the {header} of {row[0]} is {row[place]}" if row[place] else f"{row[0]} has no {header}, the cell is empty"


def _sentence(text: str) -> str:
    """With a capital letter where no name stands in front."""
    return text[0].upper() + text[1:] if text.startswith("the ") else text


@intent("look", 2.5)
def look_cell(project: Project, rng: Voice) -> Script:
    """One in ten asks about a name that is not there."""
    table = looks(project).table
    row, place = rng.choice(table.rows), rng.randrange(1, len(table.header))
    name = row[0]
    if rng.random() < 0.1:
        name = names.word(rng).capitalize() + rng.choice(["", f" {names.word(rng).capitalize()}"])
    yield terse(rng, ASKED, q=rng.choice(table.columns[place - 1].asks).format(x=name), path=table.path)
    yield look(table.path)
    if name not in [row[0] for row in table.rows]:
        yield answer(f"There is no {name} in {table.path}.")
    else:
        yield answer(_sentence(_cell(table, row, place)) + ".")


@intent("look", 1.4)
def look_cells(project: Project, rng: Voice) -> Script:
    """Two facts about one thing, or one fact about two."""
    table = looks(project).table
    row, other = rng.sample(table.rows, 2)
    one, two = rng.sample(range(1, len(table.header)), 2)
    asks, more = table.columns[one - 1].asks, table.columns[two - 1].asks
    if rng.random() < 0.5:
        second = rng.choice(more).format(x="it")
        first, told_too = rng.choice(asks).format(x=row[0]), _cell(table, row, two)
    else:
        first, second = rng.choice(asks).format(x=row[0]), rng.choice([f"the same for {other[0]}", other[0]])
        told_too = _cell(table, other, one)
    yield terse(
        rng,
        """
        {one}, and {two}? see {path}
        {one} and {two}, from {path}
        {path}: {one}, and {two}
        {path}, two things: {one}? {two}?
        two (questions|things) about {path}. {one}, and {two}
        {one}? and {two}? {path} has both
        {one} plus {two}, both (stand|are) in {path}
        from {path} I need this: {one}, also {two}
        (check|read) {path} for me: {one}, then {two}
        {one}? {two}? the list is {path}
        I need both for a mail: {one} and {two}, {path}
        they ask: {one}, and {two}. look at {path}
        what does {path} say: {one}, as well as {two}
        tell me from {path}: {one}; and {two}
        {path} should know. {one}? {two}?
        in one go from {path}: {one} and {two}
        """,
        one=first,
        two=second,
        path=table.path,
    )
    yield look(table.path)
    yield answer(_sentence(f"{_cell(table, row, one)}, and {told_too}."))


@intent("look", 1.8)
def look_peak(project: Project, rng: Voice) -> Script:
    table = looks(project).table
    place, column = column_of(table, rng, "n")
    values = [int(row[place]) for row in table.rows]
    most = rng.random() < 0.55
    if values.count(max(values) if most else min(values)) > 1:
        raise Unsuitable
    word = rng.choice(column.most if most else column.least)
    yield terse(
        rng,
        """
        {word} {thing} in {path}
        {path}: {word} {thing}
        {path}, the {word} {thing} please
        which {thing} is the {word}, {path}
        which {thing} in {path} is the {word}
        which of the {things} in {path} is {word}
        what is our {word} {thing}? {path}
        name the {word} {thing} of {path}
        (find|get|pick) me the {word} {thing} from {path}
        the {word} of all {things}, see {path}
        who is the {word} in {path}
        of all the {things} in {path}, which one is the {word}
        I (want|need) to know the {word} {thing}, the list is {path}
        we have a bet: which {thing} of {path} is the {word}
        I look for our {word} {thing}. it is somewhere in {path}
        go through {path}, which {thing} comes out as the {word}
        could you tell me which {thing} is the {word}? data in {path}
        is there one {thing} in {path} that is the {word}, and how does it compare in numbers
        for the label: {word} {thing} in {path}, with its figure
        """,
        word=word,
        thing=table.thing,
        things=table.things,
        path=table.path,
    )
    yield look(table.path)
    result = yield program(
        rows_of(table.path) + f"row = {'max' if most else 'min'}(rows, key=lambda row: {number_of(table, column)})\n"
        f'print(row["{table.header[0]}"], row["{column.header}"])'
    )
    name, _, value = result.text.strip().rpartition(" ")
    yield answer(f"{name} is the {word} {table.thing} in {table.path}: its {column.header} is {value}.")


@intent("look", 1.4)
def look_in_order(project: Project, rng: Voice) -> Script:
    """The first few by a number, or all of them."""
    table = looks(project).table
    place, column = column_of(table, rng, "n")
    most, some = rng.random() < 0.6, rng.choice([2, 3, 3, 4, 0])
    values = [int(row[place]) for row in table.rows]
    if len(set(values)) < len(values) or some >= len(values):
        raise Unsuitable
    word, end = rng.choice(column.most if most else column.least), rng.choice(column.least if most else column.most)
    number = rng.choice([str(some), {2: "two", 3: "three", 4: "four"}.get(some, "")])
    forms = """
        {n} {word} {things} {path}
        {path}: the {n} {word} {things}
        the {n} {word} {things} in {path}
        which {n} {things} are the {word}, {path}
        which are the {n} {word} {things} of {path}
        what are our {n} {word} {things}? see {path}
        (list|show|name) the {n} {word} {things} from {path}
        give me the {n} {word} {things}, {path} has the data
        I need the {n} {word} {things} out of {path}
        of the {things} in {path} the {n} {word}, with numbers
        {path} top {n}: the {word} {things}
        can you pick the {n} {word} {things} from {path}
        look through {path} for the {n} {word} {things}
        we only have room for {n}: the {word} {things} of {path}
        {n} {things} please, the {word} ones in {path}
        """
    if not some:
        forms = """
        {things} from {word} to {end}, {path}
        {path}: {things}, {word} first
        {path} in order, {word} {thing} first
        (list|show|print) the {things} of {path} from {word} to {end}
        sort the {things} in {path}: {word} on top
        order {path} so that the {word} {thing} comes first, only show me
        all {things} in {path}, {word} first, {end} last
        I want to see the {things} from {path} ranked, {word} first
        rank the {things} of {path} from {word} down to {end}
        can you (give|show) me {path} sorted, the {word} at the top
        a ranking of the {things} in {path}, beginning with the {word}
        what order do the {things} in {path} have from {word} to {end}
        put the {things} of {path} in a row from {word} to {end}, just on screen
        begin with the {word} {thing} and end with the {end}: list {path}
        """
    yield terse(rng, forms, n=number, word=word, end=end, thing=table.thing, things=table.things, path=table.path)
    yield look(table.path)
    cut = f"[:{some}]" if some else ""
    result = yield program(
        rows_of(table.path)
        + f"rows.sort(key=lambda row: {number_of(table, column)}{', reverse=True' if most else ''})\n"
        f'for row in rows{cut}:\n    print(row["{table.header[0]}"], row["{column.header}"])'
    )
    found = [" with ".join(line.rsplit(" ", 1)) for line in result.text.splitlines()]
    order = f"By {column.header}, {'highest' if most else 'lowest'} first:"
    yield answer(f"{order} {listed(found)}." if len(found) < 6 else f"{order}\n\n{OUTPUT_LINE}")


@intent("look", 1.6)
def look_sum(project: Project, rng: Voice) -> Script:
    table = looks(project).table
    _, column = column_of(table, rng, "n")
    mean = rng.random() < 0.3
    if mean:
        yield terse(
            rng,
            """
            on average, {q}? {path}
            {q} on average, {path}
            {q} on average, see {path}
            {path}: {q} on average
            {path}, averaged over all: {q}
            going by {path}, {q} on average
            average please. {q}? data in {path}
            not a single one, the mean of all: {q}? it is in {path}
            take the mean over {path}: {q}
            typically, so on average, {q}? use {path}
            I need an average from {path}: {q}
            {q} in the mean, {path} has the numbers
            for the brochure: {q} on average, source {path}
            work out from {path}: on average {q}
            """,
            q=rng.choice(column.asks).format(x=article(table.thing)),
            path=table.path,
        )
    else:
        yield terse(
            rng,
            """
            {total}, {path}
            {total} please, from {path}
            {path}: {total}
            {path}, {total}?
            what is the {total}, see {path}
            how much is the {total} in {path}
            (work out|compute|calculate|get) the {total} from {path}
            (tell|give) me the {total}, the list is {path}
            I need the {total}. {path} has the single figures
            how large is the {total} if you go by {path}
            the {total} as one number, data in {path}
            add it up for me: {total}, {path}
            one figure for the meeting: {total}, out of {path}
            {path} lists each one. what is the {total}
            could you add up {path}? I want the {total}
            summing up {path}, what do you get for the {total}
            """,
            total=rng.choice(column.totals),
            path=table.path,
        )
    yield look(table.path)
    code = "print(round(sum(values) / len(values), 2))" if mean else "print(sum(values))"
    result = yield program(rows_of(table.path) + f"values = [{number_of(table, column)} for row in rows]\n{code}")
    kind = "average" if mean else "sum"
    yield answer(f"The {kind} of {column.header} over all {table.things} in {table.path} is {result.text.strip()}.")
