"""Changes to files that are there, asked as developers type: lines, rows, words; files that go."""

import re

from punie_cli.agent.messages import answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, quoted
from punie_cli.rows.intents.doing_files import line
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.intents.writes import text_file, told, word_of
from punie_cli.rows.project import Project


def _append(path: str, text: str) -> str:
    return f'text = read_file("{path}")\nprint(write_file("{path}", text + {quoted(text + chr(10))}))'


@intent("doing", 1.6)
def more_line(project: Project, rng: Voice) -> Script:
    path = rng.choice(sorted(p for p in project.files if p.endswith((".txt", ".md"))))
    text = rng.choice(["", "", "- "]) * path.endswith(".md") + line(rng)
    if '"' in text:
        raise Unsuitable
    yield ask(
        rng,
        """
        append "{text}" to {path}
        append to {path}: {text}
        add to {path}: {text}
        add a line to {path}: {text}
        add "{text}" as a new last line in {path}
        (one|a) more line for {path}: {text}
        echo "{text}" >> {path}
        {path} should end with the line "{text}"
        at the end of {path}, (add|put|write): {text}
        also note in {path}: {text}
        put this below everything else in {path}: {text}
        "{text}" belongs at the end of {path}, add it there
        I want you to extend {path}, new line: {text}
        write one line more into {path}, it is {text}
        (tack|stick) "{text}" onto the end of {path}
        can you add the line "{text}" to {path}
        the last line of {path} should become "{text}", keep what is there
        let {path} have another line: {text}
        appned to {path}: {text}
        pls add at the bottom of {path}: {text}
        """,
        path=path,
        text=text,
    )
    result = yield program(_append(path, text))
    yield answer(told(result, path, f"Added the line to {path}."))


@intent("doing", 1.2)
def more_row(project: Project, rng: Voice) -> Script:
    if not project.table:
        raise Unsuitable
    path, (header, *_) = project.table_file, project.table
    cells = [names.word(rng), *(str(rng.randint(1, 400)) for _ in header[1:])]
    row = ",".join(cells)
    yield ask(
        rng,
        """
        append {text} to {path}
        add {text} to {path}
        add the row {text} to {path}
        new row in {path}: {text}
        add a row to {path}: {text}
        one more record for {path}: {text}
        {path} gets another row, {text}
        put {text} at the end of the table {path}
        insert {text} at the bottom of {path}
        the table {path} needs the row {text}
        I have a new entry for {path}: {text}
        I want you to add this record to {path}: {text}
        write {text} below the other rows of {path}
        extend the csv {path} with {text}
        {path} += {text}
        could you add the line {text} to {path}
        """,
        path=path,
        text=row,
    )
    result = yield program(_append(path, row))
    yield answer(told(result, path, f"Added the row {row} to {path}."))


@intent("doing", 1.8)
def other_word(project: Project, rng: Voice) -> Script:
    path = text_file(project, rng)
    old, new = word_of(project, rng, path), rng.choice([names.word(rng), f"{names.word(rng)} {names.word(rng)}"])
    whole = re.findall(rf"\b{old}\b", project.files[path])
    if old == new or project.files[path].count(old) != len(whole):
        raise Unsuitable
    yield ask(
        rng,
        """
        s/{old}/{new}/ in {path}
        replace {old} with {new} in {path}
        {path}: {old} -> {new}
        {path}: "{old}" becomes "{new}"
        in {path} change {old} to {new}
        in {path}, put {new} where it says {old}
        make it "{new}" instead of "{old}" in {path}
        {path} says {old}, it should say {new}
        {path} has {old} where it should have {new}, (fix|correct) that
        the word {old} in {path} is wrong, use {new}
        swap {old} for {new} in {path}
        substitute "{new}" for "{old}" in {path}
        I want you to change "{old}" into "{new}" in {path}
        can you replace the word {old} by {new} in {path}
        edit {path} so that {old} reads {new}
        update {path}: {new} in place of {old}
        I wrote {old} in {path} but meant {new}, change it
        every {old} in {path} has to be {new}
        chnage {old} to {new} in {path}
        repalce {old} with {new} in {path}
        """,
        path=path,
        old=old,
        new=new,
    )
    result = yield program(f'text = read_file("{path}")\nprint(write_file("{path}", text.replace("{old}", "{new}")))')
    yield answer(told(result, path, f"Replaced {old} with {new} in {path}."))


@intent("doing", 1.2)
def drop_line(project: Project, rng: Voice) -> Script:
    path = rng.choice(sorted(p for p in project.files if p.endswith((".txt", ".md", ".csv"))))
    text = project.files[path]
    lines = [x for x in text.splitlines() if len(x) > 5 and text.count(f"{x}\n") == 1 and x.strip("#- ") == x]
    if not lines:
        raise Unsuitable
    gone = rng.choice(lines)
    yield ask(
        rng,
        """
        remove the line "{text}" from {path}
        delete "{text}" from {path}
        drop the line "{text}" in {path}
        {path}: remove "{text}"
        take the line "{text}" out of {path}
        in {path}, delete the line that says "{text}"
        {path} no longer needs the line "{text}"
        the line "{text}" in {path} can go
        get rid of the line "{text}" in {path}
        remove this line from {path}: {text}
        delete from {path}: {text}
        this line of {path} should go: {text}
        I want you to cut "{text}" out of {path}
        "{text}" is done, remove it from {path}
        strike the line "{text}" from {path}
        can you take "{text}" off {path}, the whole line
        remvoe the line "{text}" from {path}
        """,
        path=path,
        text=gone,
    )
    result = yield program(
        f'text = read_file("{path}")\nprint(write_file("{path}", text.replace({quoted(gone + chr(10))}, "")))'
    )
    yield answer(told(result, path, f"Removed the line from {path}."))


@intent("doing", 1)
def drop_line_number(project: Project, rng: Voice) -> Script:
    path = rng.choice(sorted(p for p, t in project.files.items() if p.endswith((".txt", ".md", ".csv")) and t))
    lines = project.files[path].count("\n")
    which, index = rng.choice([("the last line", -1), ("the first line", 0), *((f"line {n}", n - 1) for n in (2, 3))])
    if index >= lines or lines < 2:
        raise Unsuitable
    yield ask(
        rng,
        """
        delete {which} of {path}
        remove {which} from {path}
        drop {which} in {path}
        {path}: remove {which}
        {which} of {path} can go
        take {which} out of {path}
        {path} without {which}, please change it
        cut {which} from {path}
        {which} of {path} is wrong, delete it
        in {path}, delete {which} and keep the rest
        get rid of {which} in {path}
        I want you to remove just {which} of {path}
        can you delete {which} in {path}
        {path} should lose {which}
        I do not need {which} of {path}, remove it
        edit {path}: {which} goes away
        """,
        path=path,
        which=which,
    )
    result = yield program(
        f'lines = read_file("{path}").splitlines()\ndel lines[{index}]\n'
        f'print(write_file("{path}", "\\n".join(lines) + "\\n"))'
    )
    yield answer(told(result, path, f"Removed {which} of {path}."))


@intent("doing", 0.8, alone=True)
def drop_file(project: Project, rng: Voice) -> Script:
    path = rng.choice(sorted(p for p in project.files if not p.endswith("__init__.py")))
    yield ask(
        rng,
        """
        rm {path}
        delete {path}
        remove the file {path}
        {path} can go
        get rid of {path}
        (we do not|nobody) need {path} any more, delete it
        throw {path} away
        I want you to delete the file {path}
        drop {path} from the (project|repo)
        erase {path}
        {path} is obsolete, remove it
        can you remove {path}
        I want {path} gone
        {path} has to go, delete it
        clean up: remove {path}
        take {path} out of the repo, the file is not used
        delte {path}
        """,
        path=path,
    )
    result = yield program(f'print(run_command(["rm", "{path}"]).exit_code)')
    if refused(result):
        yield answer(f"The command was refused, so {path} is still there.")
    elif result.text.strip() == "0":
        yield answer(f"Deleted {path}.")
    else:
        raise Unsuitable
