"""Notes and logs that are looked at first, and a cell that is asked for and then changed."""

import json

from punie_cli.agent.messages import answer, program, user
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, count, intent, say
from punie_cli.rows.intents.asking import terse
from punie_cli.rows.intents.looking import ASKED, look
from punie_cli.rows.intents.writes import told
from punie_cli.rows.looks import looks
from punie_cli.rows.project import Project


@intent("look", 2)
def look_note(project: Project, rng: Voice) -> Script:
    """One in eight asks for something that nobody noted."""
    notes = looks(project).notes
    fact = rng.choice(notes.facts)
    asked, known = rng.choice(fact.asks), True
    if rng.random() < 0.12:
        other = names.word(rng)
        known = other in notes.text.lower()
        asked = asked if known else asked.replace(fact.word, other)
    yield terse(rng, ASKED, q=asked, path=notes.path)
    yield look(notes.path)
    if known:
        # The one kind of line that is asked about with yes or no says that something is never so.
        no = "No: " if asked.startswith(("is ", "do ")) else ""
        yield answer(f"{no}{notes.path} says under {fact.heading}: {fact.line}.")
    else:
        yield answer(f"{notes.path} says nothing about that.")


@intent("look", 1.4)
def look_section(project: Project, rng: Voice) -> Script:
    notes = looks(project).notes
    fact = rng.choice(notes.facts)
    asked = terse(
        rng,
        """
        which section of {path} is on {subject}
        which heading in {path} covers {subject}
        {path}: which part is about {subject}
        {path}, where is the part on {subject}
        under what heading does {path} have {subject}
        what is the section on {subject} called in {path}
        where in {path} do I read about {subject}
        where would I add something on {subject} in {path}
        {subject}: which heading of {path}
        I look for {subject} in {path}, under which heading
        name the heading of {path} that deals with {subject}
        does {path} have a part about {subject}, and what is its title
        there is something on {subject} in {path}. which section
        I have a line about {subject} to add to {path}, to what section does it belong
        to which chapter of {path} does {subject} belong
        is there a heading for {subject} in {path}? which
        """,
        subject=rng.choice(fact.subjects),
        path=notes.path,
    )
    yield asked
    yield look(notes.path)
    heading = fact.heading if notes.path.endswith(".md") else fact.heading.upper()
    yes = "Yes, in" if "is there a heading" in asked.text.lower() or asked.text[:5].lower() == "does " else "In"
    yield answer(f"{yes} {notes.path} that is the section {heading}.")


_SAID = {
    "info": ["plain messages", "harmless messages", "lines of the lowest level"],
    "warning": ["warnings", "cautions", "yellow lines"],
    "error": ["errors", "failures", "real problems"],
}


@intent("look", 2)
def look_log(project: Project, rng: Voice) -> Script:
    """The first lines of a long file show how it is written; then its lines are searched as they are."""
    log = looks(project).log
    kind = rng.choice(["count", "count", "last", "first", "part"])
    level, part = rng.choice(["warning", "error", "error", "info"]), rng.choice(log.parts)
    mark, called = f" {log.levels[level]} ", "info line" if level == "info" else level
    forms = {
        "count": """
            how many {said} in {path}
            how many {said} does {path} have
            {path}: how many {said}
            {path}, number of {said}
            number of {said} in {path}
            count the {said} in {path}
            # of {said}, {path}
            {said} in {path}, how many
            (tell|give) me the number of {said} in {path}
            did we get many {said}? count them in {path}
            I need a count of {said} from {path}
            can you count {said} for me, file {path}
            it was a rough night. how many {said} are in {path}
            one number for the report: {said} in {path}
            """,
        "last": """
            the last of the {said} in {path}
            {path}: latest of the {said}
            {path}, most recent of all {said}
            which of the {said} came last in {path}
            what was the latest of the {said} in {path}
            (show|print) me the most recent of the {said}, {path}
            last line of {said} in {path}
            from the {said} in {path} only the newest
            find the final one of the {said} in {path}
            what did {path} end with as far as {said} go
            I only care about the newest of the {said}. {path}
            can you get the last of the {said} out of {path}
            """,
        "first": """
            the first of the {said} in {path}
            {path}: earliest of the {said}
            {path}, oldest of all {said}
            which of the {said} came first in {path}
            with which of the {said} did it begin, {path}
            (show|print) me the earliest of the {said}, {path}
            first line of {said} in {path}
            from the {said} in {path} only the oldest
            find the very first one of the {said} in {path}
            how did it start? first of the {said} in {path}
            I only care about the first of the {said}. {path}
            can you get the earliest of the {said} out of {path}
            """,
        "part": """
            {said} of {part} in {path}, how many
            how many {said} came from {part}, {path}
            {path}: {said} about {part}, just the number
            {path}, count {said} of {part}
            count what {part} reported as {said} in {path}
            is {part} to blame? number of its {said} in {path}
            how many of the {said} in {path} are by {part}
            number of {said} from {part}, log {path}
            how often does {part} stand among the {said} of {path}
            {part} acts up. how many {said} has it in {path}
            I need the count of {part} {said} in {path}
            can you count {part}'s {said} in {path}
            """,
    }[kind]
    yield terse(rng, forms, said=rng.choice(_SAID[level]), part=part, path=log.path)
    start = f'lines = read_file("{log.path}").splitlines()\n'
    yield program(start + 'print(len(lines), *lines[:4], sep="\\n")')
    mark = f"{mark}{part} " if kind == "part" else mark
    found = f'{start}found = [line for line in lines if "{mark}" in line]\n'
    if kind in ("count", "part"):
        result = yield program(found + "print(len(found))")
        some = count(int(result.text), called) + (f" of {part}" if kind == "part" else "")
        yield answer(f"{log.path} has {some}.")
    else:
        result = yield program(found + f"print(found[{0 if kind == 'first' else -1}])")
        yield answer(f"The {kind} {called} in {log.path}: {result.text.strip()}")


@intent("look", 1.8, alone=True)
def look_then_cell(project: Project, rng: Voice) -> Script:
    """A cell is asked for, then changed with `that`: the row is replaced as it was printed."""
    table = looks(project).table
    place = rng.randrange(1, len(table.header))
    row, column = rng.choice(table.rows), table.columns[place - 1]
    choices = [other[place] for other in table.rows if other[place] not in ("", row[place])]
    if not choices:
        raise Unsuitable
    new = rng.choice(choices)
    yield terse(rng, ASKED, q=rng.choice(column.asks).format(x=row[0]), path=table.path)
    yield look(table.path)
    if row[place]:
        yield answer(f"The {column.header} of {row[0]} is {row[place]}.")
    else:
        yield answer(f"{row[0]} has no {column.header}, the cell is empty.")
    text = say(
        rng,
        """
        (make|set) (that|it) {new}
        change (that|it) to {new}
        (that|it) should be {new}
        {new} please, not that
        ok, (put|write|enter) {new} there
        can you set that to {new}
        that's out of date, {new} is right
        it is {new} now, correct the table
        wrong, {new} it is
        (correct|fix) that: {new}
        {new} is what I heard. change it
        write {new} (instead|there)
        should say {new}, please mend it
        update it to {new}
        I have {new} here, that is right. change the list
        put {new} in that cell
        """,
        new=new,
    )
    yield user(text[0].upper() + text[1:] if rng.random() < 0.35 and text[0] != new[0] else text)
    if table.path.endswith(".json"):
        written = new if column.kind == "n" else json.dumps(new)
        result = yield program(
            f'rows = json.loads(read_file("{table.path}"))\nfor row in rows:\n'
            f'    if row["{table.header[0]}"] == "{row[0]}":\n        row["{column.header}"] = {written}\n'
            f'print(write_file("{table.path}", json.dumps(rows, indent=2) + "\\n"))'
        )
    else:
        before, after = table.line(row), table.line([*row[:place], new, *row[place + 1 :]])
        result = yield program(
            f'text = read_file("{table.path}").replace("{before}", "{after}")\nprint(write_file("{table.path}", text))'
        )
    was = f"it was {row[place]}" if row[place] else "it was empty"
    yield answer(told(result, table.path, f"The {column.header} of {row[0]} in {table.path} is {new} now; {was}."))
