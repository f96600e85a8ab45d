"""Reports of findings into files: lines, CSV, JSON, Markdown, counts, of everything, in the order asked."""

import json
import re

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, count, intent
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.intents.wholes import RUFF, TY, about, called, inside, spoken
from punie_cli.rows.project import Project


def _out(project: Project, rng: Voice, suffixes: str) -> str:
    """A file that is not there yet."""
    suffix = rng.choice(suffixes.split())
    stem = rng.choice([names.word(rng), f"{names.word(rng)}_{names.word(rng)}", f"{names.word(rng)}-report", "report"])
    path = rng.choice(["", "", "", f"{names.word(rng)}/", "reports/", "out/"]) + f"{stem}.{suffix}"
    if path in project.files:
        raise Unsuitable
    return path


# A kind of check: what is asked for, the call with what it holds, one of it.
_SOURCES = (
    (TY.thing, TY, "errors", "error"),
    (RUFF.thing, RUFF, "findings", "finding"),
    ("failing test", None, "failures", "failure"),
)


def _source(project: Project, rng: Voice) -> tuple[str, str, str, str]:
    """The thing, what to loop over, one of it, and the path that is asked about."""
    thing, tool, items, item = rng.choice(_SOURCES)
    if tool is None and not project.tests:
        raise Unsuitable
    path = "" if tool is None else spoken(project, rng, tool, 0.75)
    if thing == "failing test":
        thing = rng.choice(["failing test", "test failure", "red test"])
    return thing, f"{called('test' if tool is None else tool.call, path)}.{items}", item, path


def _written(result: Message, out: str, thing: str, path: str) -> Message:
    if refused(result):
        return answer(f"That was refused, so {out} is not written.")
    number = int(result.text.split()[0])
    return answer(f"{out} is written, with {count(number, thing)}{inside(path)}.")


def _columns(rng: Voice, item: str, most: int = 4) -> tuple[str, ...]:
    last = ["test", "message"] if item == "failure" else ["code", "message", "column"]
    return tuple(rng.sample(["file", "line", *last], rng.randint(2, most)))


@intent("whole", 2.5)
def whole_report_lines(project: Project, rng: Voice) -> Script:
    """One line each, `file:line` or what else was asked."""
    thing, call, item, path = _source(project, rng)
    out = _out(project, rng, "txt log lst txt")
    shapes = [("file:line", f"{{{item}.file}}:{{{item}.line}}"), ("file line", f"{{{item}.file}} {{{item}.line}}")]
    shapes.append(("file:line message", f"{{{item}.file}}:{{{item}.line}} {{{item}.message}}"))
    if item == "failure":
        shapes.append(("test name", "{failure.test}"))
    else:
        shapes.append(("file:line code", f"{{{item}.file}}:{{{item}.line}} {{{item}.code}}"))
        shapes.append(("code file:line", f"{{{item}.code}} {{{item}.file}}:{{{item}.line}}"))
        shapes.append(("file:line:column", f"{{{item}.file}}:{{{item}.line}}:{{{item}.column}}"))
    shape, template = rng.choice(shapes)
    yield about(
        rng,
        """
        write all {thing}s{at} to {out}, one {shape} a line
        write the {thing}s{at} into {out}, {shape} on each line
        write {out} with the {thing}s{at}, a line each: {shape}
        save the {thing}s{at} in {out}, each as {shape}
        save every {thing}{at} to {out} in the form {shape}
        put the {thing}s{at} into {out}, one per line, {shape}
        put every {thing}{at} in {out} as {shape}
        dump the {thing}s{at} into {out}, format {shape}
        make a file {out} with one line per {thing}{at}: {shape}
        create {out}: for each {thing}{at} a line {shape}
        store the {thing}s{at} as {shape} lines in {out}
        I need {out} with {shape} for each {thing}{at}
        {out} should get a line {shape} for every {thing}{at}
        {thing}s{at} -> {out}, {shape} per line
        export the {thing}s{at} to {out}, a {shape} line for each
        collect the {thing}s{at} in {out}, each line being {shape}
        log {thing}s{at} to {out} ({shape}, a line each)
        could you keep the {thing}s{at} in {out}, written as {shape}
    """,
        path,
        thing=thing,
        out=out,
        shape=shape,
    )
    code = f'lines = [f"{template}" for {item} in {call}]\n' if template.count("{") > 1 else ""
    code = code or f"lines = [{template.strip('{}')} for {item} in {call}]\n"
    result = yield program(
        f'{code}write_file("{out}", "".join(line + "\\n" for line in lines))\nprint(len(lines), "lines")'
    )
    yield _written(result, out, thing, path)


@intent("whole", 2.5)
def whole_report_csv(project: Project, rng: Voice) -> Script:
    """A table with a header, columns in the order asked."""
    thing, call, item, path = _source(project, rng)
    out, columns = _out(project, rng, "csv"), _columns(rng, item)
    yield about(
        rng,
        """
        write the {thing}s{at} to {out} with the columns {columns}
        write a csv {out} of the {thing}s{at}: {columns}
        write {out} with header {columns} and a row per {thing}{at}
        make a csv of all {thing}s{at}, {columns}, in {out}
        make {out}: header {columns}, then one row for each {thing}{at}
        create {out} with columns {columns} from the {thing}s{at}
        export the {thing}s{at} as csv to {out}, columns {columns}
        export {columns} of every {thing}{at} to {out}, header included
        save the {thing}s{at} to {out}, a header line {columns} first
        save {columns} of the {thing}s{at} in {out}
        {thing}s{at} as csv into {out}: {columns}
        {thing}s{at} -> {out} ({columns})
        I want a spreadsheet of the {thing}s{at} in {out} with {columns}
        put the {thing}s{at} in a table {out}, columns {columns} in that order
        {out} please: {columns} for each {thing}{at}, with a header
        dump {thing}s{at} to {out}; first row {columns}
        I open it in a spreadsheet: {out} with {columns} per {thing}{at}
    """,
        path,
        thing=thing,
        out=out,
        columns=rng.choice([", ", ", ", ","]).join(columns),
    )
    header, row = json.dumps(list(columns)), ", ".join(f"{item}.{column}" for column in columns)
    result = yield program(
        f'import csv, io\nout = io.StringIO()\nwriter = csv.writer(out, lineterminator="\\n")\n'
        f"writer.writerow({header})\nrows = [[{row}] for {item} in {call}]\nwriter.writerows(rows)\n"
        f'write_file("{out}", out.getvalue())\nprint(len(rows), "rows")'
    )
    yield _written(result, out, thing, path)


@intent("whole", 2.5)
def whole_report_json(project: Project, rng: Voice) -> Script:
    """A list of objects, or of texts."""
    thing, call, item, path = _source(project, rng)
    out, columns = _out(project, rng, "json"), _columns(rng, item, 3)
    if rng.random() < 0.3:
        columns = ("file",) if item != "failure" else ("test",)
    yield about(
        rng,
        """
        write the {thing}s{at} to {out} as json, {columns}
        write {out}, a json list with {columns} for each {thing}{at}
        make a json list of the {thing}s{at} in {out} with {columns}
        save the {thing}s{at} as json in {out}: {columns} of each
        save {columns} of all {thing}s{at} to {out} as a json list
        export the {thing}s{at} to {out}, json, {columns}
        dump {columns} of the {thing}s{at} into {out} as json
        {thing}s{at} as json in {out} ({columns})
        {thing}s{at} -> {out}, {columns}
        create {out} holding {columns} for every {thing}{at}
        put {columns} of every {thing}{at} in {out}, as json
        I feed a tool with {out}: json, {columns} of the {thing}s{at}
        {out} shall be a json array, {columns} per {thing}{at}
        a json file {out} with the {thing}s{at}, only {columns}
        store the {thing}s{at} in {out} as a json array with {columns}
        turn the {thing}s{at} into json, {columns}, and save it as {out}
    """,
        path,
        thing=thing,
        out=out,
        columns={"file": "the file", "test": "the name"}[columns[0]] if len(columns) == 1 else ", ".join(columns),
    )
    made = ", ".join(f'"{column}": {item}.{column}' for column in columns)
    row = f"{item}.{columns[0]}" if len(columns) == 1 else f"{{{made}}}"
    result = yield program(
        f'rows = [{row} for {item} in {call}]\nwrite_file("{out}", json.dumps(rows, indent=2) + "\\n")\n'
        'print(len(rows), "rows")'
    )
    yield _written(result, out, thing, path)


@intent("whole", 2.5)
def whole_report_markdown(project: Project, rng: Voice) -> Script:
    """A list or a table."""
    thing, call, item, path = _source(project, rng)
    out, table = _out(project, rng, "md"), rng.random() < 0.5
    columns = _columns(rng, item, 3)
    forms = """
        write a markdown table of the {thing}s{at} to {out}, columns {columns}
        write {out} with a table of the {thing}s{at}: {columns}
        make a markdown table in {out}: {columns} for each {thing}{at}
        make {out}, a table with {columns} of every {thing}{at}
        put the {thing}s{at} in a markdown table with {columns}, file {out}
        save a table of {thing}s{at} ({columns}) as {out}
        create {out} with a markdown table, a row per {thing}{at}, {columns}
        {thing}s{at} as a markdown table in {out}, {columns}
        {thing}s{at} -> {out}, as a table of {columns}
        export {thing}s{at} to {out} as a md table: {columns}
        I want a table in {out} for the wiki: {columns} per {thing}{at}
        a table {columns} of all {thing}s{at}, saved in {out}
        document the {thing}s{at} in {out}, as a table ({columns})
        table of {thing}s{at} with {columns} into {out} please
        fill {out} with a markdown table: {columns} for every {thing}{at}
    """
    if not table:
        forms = """
            write a markdown list of the {thing}s{at} to {out}, each with {columns}
            write {out} with a bullet per {thing}{at}: {columns}
            make a bullet list in {out}: {columns} for each {thing}{at}
            make {out}, bullets with {columns} of every {thing}{at}
            put the {thing}s{at} in {out} as a markdown list, {columns}
            save a bullet list of {thing}s{at} ({columns}) as {out}
            create {out} with a dash line per {thing}{at}, {columns}
            {thing}s{at} as a markdown list in {out}, {columns}
            {thing}s{at} -> {out}, as bullets with {columns}
            export {thing}s{at} to {out} as md bullets: {columns}
            I want bullets in {out} for the wiki: {columns} per {thing}{at}
            a list with {columns} of all {thing}s{at}, saved in {out}
            document the {thing}s{at} in {out}, as bullets ({columns})
            bullets of {thing}s{at} with {columns} into {out} please
            fill {out} with a markdown list: {columns} for every {thing}{at}
        """
    yield about(rng, forms, path, thing=thing, out=out, columns=", ".join(columns))
    cells = [f"{{{item}.{column}}}" for column in columns]
    if table:
        head = f"| {' | '.join(columns)} |\\n|{'---|' * len(columns)}\\n"
        start, line = f'text = "{head}"\n', f"| {' | '.join(cells)} |\\n"
    else:
        start, line = 'text = ""\n', f"- {' '.join(cells)}\\n"
    result = yield program(
        f'items = {call}\n{start}for {item} in items:\n    text += f"{line}"\nwrite_file("{out}", text)\n'
        'print(len(items), "items")'
    )
    yield _written(result, out, thing, path)


@intent("whole", 2.5)
def whole_report_counts(project: Project, rng: Voice) -> Script:
    """How many of each code or file, sorted as asked."""
    tool = rng.choice([TY, RUFF])
    path = spoken(project, rng, tool, 0.8)
    out, key = _out(project, rng, "txt csv log"), rng.choice(["code", "code", "file"])
    most = rng.random() < 0.5
    order = rng.choice(["most first", "highest first", "the commonest on top", "sorted by count, largest first"])
    if not most:
        order = rng.choice([f"sorted by {key}", f"in order of {key}", "alphabetical", "sorted"])
    comma = out.endswith("csv")
    header = f"{key},count" if comma else ""
    yield about(
        rng,
        """
        write the number of {thing}s per {key}{at} to {out}, {order}
        write {out} with {thing} counts by {key}{at}, {order}
        write counts of {thing}s for each {key}{at} into {out}, {order}
        count the {thing}s{at} by {key} and save that in {out}, {order}
        count {thing}s per {key}{at}, write it to {out}, {order}
        save {thing}s per {key}{at} to {out}, {order}
        save a tally of {thing}s by {key}{at} in {out}, {order}
        make {out}: each {key} with its number of {thing}s{at}, {order}
        make a tally by {key} of the {thing}s{at}, {order}, in {out}
        {thing}s by {key}{at}, counted, into {out}, {order}
        {thing}s per {key}{at} -> {out}, {order}
        put how many {thing}s each {key} has{at} into {out}, {order}
        put the {thing} totals by {key}{at} in {out}, {order}
        I want {out} with one line per {key} and its count of {thing}s{at}, {order}
        group the {thing}s{at} by {key}, count, store in {out}, {order}
        {out}: {key} and number of {thing}s{at}, {order}
        """,
        path,
        thing=tool.thing,
        key=key,
        out=out,
        order=order + (f", header {header}" if comma else ""),
    )
    ordered = "counts.most_common()" if most else "sorted(counts.items())"
    mark = "," if comma else " "
    start = f'text = "{header}\\n"\n' if comma else 'text = ""\n'
    call = f"{called(tool.call, path)}.{tool.items}"
    result = yield program(
        f"from collections import Counter\ncounts = Counter(item.{key} for item in {call})\n"
        f'{start}for {key}, number in {ordered}:\n    text += f"{{{key}}}{mark}{{number}}\\n"\n'
        f'write_file("{out}", text)\nprint(len(counts), "{key}s", counts.total(), "{tool.thing}s")'
    )
    if refused(result):
        yield answer(f"That was refused, so {out} is not written.")
        return
    found = re.match(r"(\d+) \w+ (\d+) ", result.text)
    if not found:
        raise Unsuitable
    where = f"{'of' if key == 'code' else 'in'} {count(int(found[1]), key)}{inside(path)}"
    yield answer(f"{out} is written: {count(int(found[2]), tool.thing)} {where}.")
