"""What was found goes into a file: findings as csv, json or counts, overviews, winners of tables; and moved modules."""

from punie_cli.agent.messages import answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed
from punie_cli.rows.intents.paths import folder, module, refused
from punie_cli.rows.project import Project


def _source(project: Project, rng: Voice) -> tuple[str, str, str, str]:
    """A path, the tool, the field with what it found, and what that is called."""
    path = folder(project, rng) if rng.random() < 0.6 else module(project, rng)
    tool, field, thing = rng.choice([("typecheck", "errors", "type error"), ("lint", "findings", "lint finding")])
    return path, tool, field, thing


def _new(rng: Voice, suffix: str) -> str:
    stem = rng.choice([names.stem(rng), names.word(rng), rng.choice(["findings", "errors", "report", "problems"])])
    return f"{rng.choice(['', '', 'reports/', 'out/', 'docs/'])}{stem}.{suffix}"


@intent("chain", 2.2)
def chain_csv(project: Project, rng: Voice) -> Script:
    """With a header only where the question asks for one."""
    path, tool, field, thing = _source(project, rng)
    new = _new(rng, "csv")
    columns = rng.choice([["file", "line", "code"], ["file", "line"], ["line", "code"], ["file", "line", "column"]])
    head = rng.random() < 0.5
    yield ask(
        rng,
        """
        write the {thing}s of {path} to {new} as csv: {columns}{head}
        {thing}s of {path} into {new}, columns {columns}{head}
        save all {thing}s in {path} as csv in {new} ({columns}){head}
        export the {thing}s of {path} to {new} with {columns}{head}
        I need {new}: one row per {thing} of {path}, namely {columns}{head}
        make a csv {new} of the {thing}s in {path}, {columns}{head}
        put {columns} of every {thing} in {path} into {new}{head}
        dump {thing}s of {path} -> {new}, csv, {columns}{head}
        can you collect the {thing}s of {path} in {new}, as {columns}{head}
        {new} should list the {thing}s of {path} with {columns}, comma separated{head}
        create {new} from the {thing}s of {path}: {columns} in each row{head}
        for my spreadsheet: {thing}s in {path}, {columns}, to {new}{head}
        check {path} and store each {thing} in {new} as {columns}{head}
        a table {new} please, {columns} for all {thing}s of {path}{head}
        get the {thing}s of {path} and write {columns} of each to {new}{head}
        write {new}. rows are the {thing}s of {path}, columns are {columns}{head}
        """,
        path=path,
        new=new,
        thing=thing,
        columns=rng.choice([",", ", "]).join(columns),
        head=rng.choice([", with a header", " with header line", ", header first", ", and a header row"])
        if head
        else rng.choice(["", ", no header", " without a header", ", without header row"]),
    )
    fields = ",".join(f"{{item.{column}}}" for column in columns)
    text = f'"{",".join(columns)}\\n" + "".join(rows)' if head else '"".join(rows)'
    result = yield program(
        f'found = {tool}("{path}").{field}\nrows = [f"{fields}\\n" for item in found]\n'
        f'write_file("{new}", {text})\nprint(len(found))'
    )
    if refused(result):
        yield answer(f"Writing {new} was refused, so nothing was saved.")
    else:
        yield answer(f"Wrote {count(int(result.text), thing)} of {path} to {new}{', with a header' if head else ''}.")


@intent("chain", 1.8)
def chain_json(project: Project, rng: Voice) -> Script:
    path, tool, field, thing = _source(project, rng)
    new = _new(rng, "json")
    keys = rng.choice([["file", "line", "code"], ["file", "line", "message"], ["line", "code"], ["file", "code"]])
    yield ask(
        rng,
        """
        write the {thing}s of {path} to {new} as json with {keys}
        {thing}s of {path} as json into {new}, keys {keys}
        save {path}'s {thing}s in {new}: a json list of objects with {keys}
        export {thing}s of {path} to {new} ({keys})
        make {new}, a json list of the {thing}s in {path}; each has {keys}
        dump the {thing}s of {path} to {new}, json, {keys}
        {new} should hold every {thing} of {path} as an object with {keys}
        I want the {thing}s of {path} machine readable: {new}, with {keys}
        put all {thing}s from {path} into {new} as json objects ({keys})
        check {path}, store the {thing}s in {new}, with {keys} each
        can you create {new} with the {thing}s of {path}, {keys} per entry
        json please: {keys} of each {thing} in {path}, file name {new}
        collect {keys} of the {thing}s in {path} in a json file {new}
        our dashboard reads {new}: write the {thing}s of {path} there, {keys}
        turn the {thing}s of {path} into json, {keys}, and save it as {new}
        for each {thing} in {path} an object with {keys}, all in {new}
        """,
        path=path,
        new=new,
        thing=thing,
        keys=listed(keys) if rng.random() < 0.6 else ", ".join(keys),
    )
    pairs = ", ".join(f'"{key}": item.{key}' for key in keys)
    result = yield program(
        f'found = {tool}("{path}").{field}\nrows = [{{{pairs}}} for item in found]\n'
        f'write_file("{new}", json.dumps(rows, indent=2) + "\\n")\nprint(len(found))'
    )
    if refused(result):
        yield answer(f"Writing {new} was refused, so nothing was saved.")
    else:
        yield answer(f"Wrote {count(int(result.text), thing)} of {path} to {new} as JSON.")


@intent("chain", 1.8)
def chain_counts(project: Project, rng: Voice) -> Script:
    path, tool, field, thing = _source(project, rng)
    new = _new(rng, "txt")
    yield ask(
        rng,
        """
        count the {thing}s of {path} by code and write `code count` lines, sorted, to {new}
        {new}: one line per code with its count, sorted, for the {thing}s of {path}
        how often does each code occur among the {thing}s of {path}? save it as {new}, lines of code and count, sorted
        write a summary of the {thing}s in {path} to {new}: code, a space, how many; sorted by code
        put the number of {thing}s per code for {path} into {new}, sorted by code
        {thing}s of {path} per code -> {new}, "code count" lines in order
        save counts per code to {new} ({thing}s of {path}), sorted
        make {new} with a line like `CODE 3` for every code of the {thing}s in {path}, sorted
        group the {thing}s of {path} by code and store code and count in {new}, sorted
        tally the {thing}s in {path} by code, sorted lines, into {new}
        I need {new} with code and count of the {thing}s of {path}, alphabetically
        which codes do the {thing}s of {path} have and how many each? write it to {new} in sorted order
        statistics of {thing}s for {path} by code, to the file {new}, sorted
        can you write the {thing} counts of {path} to {new}, a sorted line for each code
        in {new} I want to see how many {thing}s of each code {path} has, sorted by code
        sorted code/count lines for the {thing}s in {path}, file {new}
        """,
        path=path,
        new=new,
        thing=thing,
    )
    result = yield program(
        f'codes = sorted(item.code for item in {tool}("{path}").{field})\n'
        'rows = [f"{code} {codes.count(code)}\\n" for code in dict.fromkeys(codes)]\n'
        f'write_file("{new}", "".join(rows))\nprint("".join(rows))'
    )
    rows = [" ".join(line.rsplit(" ", 1)) for line in result.text.strip().splitlines()]
    if refused(result):
        yield answer(f"Writing {new} was refused, so nothing was saved.")
    elif rows:
        yield answer(f"Wrote the counts of {path} to {new}: {', '.join(rows)}.")
    else:
        yield answer(f"{path} has no {thing}s, so {new} is empty.")


@intent("chain", 1.8)
def chain_overview(project: Project, rng: Voice) -> Script:
    path = project.package
    new = rng.choice([_new(rng, "md"), "docs/overview.md", "MODULES.md", f"docs/{names.word(rng)}.txt"])
    if new in project.files:
        raise Unsuitable
    yield ask(
        rng,
        """
        write an overview of {path} to {new}: each module with its docstring
        make {new}, a list of the modules in {path} and what their docstrings say
        {new} should have one line for each module of {path}: path and docstring
        document {path} in {new}, a line per module with its docstring
        create {new} listing every module of {path} with the first line of its docstring
        I want an overview file {new} of the modules below {path}, docstrings included
        collect the module docstrings of {path} in {new}
        put all modules of {path} and their docstrings into {new}
        save module and docstring, for all of {path}, to {new}
        new people ask what is in {path}; write {new} with modules and their docstrings
        generate {new} from the docstrings of {path}
        overview of {path} -> {new}, module: docstring
        can you write {new}? it lists {path}'s modules and their docstrings
        list {path} in {new}: file name, colon, docstring
        for the wiki: modules of {path} with docstrings, as {new}
        summarise {path} by docstrings, one module a line, and store that in {new}
        """,
        path=path,
        new=new,
    )
    result = yield program(
        f'rows = []\nfor path in sorted(run_command(["find", "{path}", "-name", "*.py"]).stdout.split()):\n'
        "    text = read_file(path)\n    if text:\n"
        '        rows.append(path + ": " + text.splitlines()[0].strip(\'"\') + "\\n")\n'
        f'write_file("{new}", "".join(rows))\nprint(len(rows))'
    )
    if refused(result):
        yield answer(f"Writing {new} was refused, so there is no overview.")
    else:
        yield answer(f"Wrote {new}, with {count(int(result.text), 'module')} of {path}.")


@intent("chain", 2, alone=True)
def chain_two_values(project: Project, rng: Voice) -> Script:
    """Both files are shown first: how a value is written there cannot be guessed."""
    numbers = {k: v for k, v in project.config.items() if isinstance(v, int) and not isinstance(v, bool)}
    others = [
        (section, key, value)
        for section, values in sorted(project.toml.items())
        for key, value in values.items()
        if isinstance(value, int) and not isinstance(value, bool)
    ]
    if not numbers or not others:
        raise Unsuitable
    one, key = project.config_file, rng.choice(sorted(numbers))
    other = project.toml_file
    _, name, value = rng.choice(others)
    new, newer = names.number(rng), names.number(rng)
    old_line, old_other = f'"{key}": {numbers[key]}', f"{name} = {value}"
    if any(project.files[f].count(line) != 1 for f, line in [(one, old_line), (other, old_other)]):
        raise Unsuitable
    yield ask(
        rng,
        """
        set {key} to {new} in {one} and {name} to {newer} in {other}
        {one}: {key} {new}. {other}: {name} {newer}
        change two values: {key} in {one} becomes {new}, {name} in {other} becomes {newer}
        {key} should be {new} ({one}) and {name} should be {newer} ({other})
        in {one} make {key} {new}; in {other} make {name} {newer}
        update {one} ({key}={new}) and {other} ({name}={newer})
        {key} -> {new} in {one}, {name} -> {newer} in {other}
        we agreed on {new} for {key} in {one} and {newer} for {name} in {other}, please edit both files
        edit both {one} and {other}: {key} is {new}, {name} is {newer}
        can you put {new} as {key} into {one}, and {newer} as {name} into {other}
        the {key} in {one} must be {new} now, and the {name} in {other} {newer}
        two edits: {one} gets {key} {new}, {other} gets {name} {newer}
        from now on {key} is {new} and {name} is {newer}; they are in {one} and {other}
        adjust {key} ({one}) to {new}, as well as {name} ({other}) to {newer}
        new settings: {key} = {new} in {one}, {name} = {newer} in {other}
        raise or lower {key} in {one} to {new}, same for {name} in {other}: {newer}
        """,
        key=key,
        new=new,
        one=one,
        name=name,
        newer=newer,
        other=other,
    )
    yield program(f'print(read_file("{one}"))\nprint(read_file("{other}"))')
    result = yield program(
        f'text = read_file("{one}")\nwrite_file("{one}", text.replace(\'{old_line}\', \'"{key}": {new}\'))\n'
        f'text = read_file("{other}")\nwrite_file("{other}", text.replace("{old_other}", "{name} = {newer}"))\n'
        'print("written")'
    )
    if refused(result):
        yield answer("The change was refused, so both files are as they were.")
    elif result.text.startswith("written"):
        yield answer(
            f"{key} in {one} is {new} now, it was {numbers[key]}; {name} in {other} is {newer}, it was {value}."
        )
    else:
        raise Unsuitable


@intent("chain", 2, alone=True)
def chain_move(project: Project, rng: Voice) -> Script:
    """The module is moved and its imports follow; tests are run where there are some, else types are checked."""
    old = rng.choice([p for p in project.modules if not p.endswith("__init__.py")])
    new = f"{old.rpartition('/')[0]}/{names.module(rng)}.py"
    before, after = (path.removesuffix(".py").replace("/", ".") for path in (old, new))
    if new in project.files:
        raise Unsuitable
    tests = bool(project.tests)
    check = "test()" if tests else "typecheck()"
    yield ask(
        rng,
        """
        rename the module {old} to {new}, adapt the imports and {check}
        move {old} to {new} and fix the imports, then {check}
        {old} should become {new}; change who imports it and {check}
        mv {old} {new}, update imports, {check}
        {old} -> {new} incl. imports, then {check}
        call the module {new} instead of {old}, imports too, and {check} afterwards
        refactor: {old} moves to {new}. adjust every import, {check}
        can you move the code of {old} to {new} and {check}? imports must follow
        give {old} the path {new}, correct the imports, {check}
        the name {old} is bad, make it {new}, update all imports and {check}
        I want {old} to be {new}, with all imports changed. {check} in the end
        turn {old} into {new} (imports as well) and {check}
        move the file {old}, it is {new} from now on; repair the imports and {check}
        relocate {old} to {new}, keep the imports working and {check}
        put what is in {old} into {new}, delete the old file, change the imports and {check}
        module {old} gets the name {new}: move, adapt imports, {check}
        """,
        old=old,
        new=new,
        check=rng.choice(["run the tests", "test", "run pytest"] if tests else ["check the types", "run ty"]),
    )
    result = yield program(f'print(run_command(["grep", "-rl", "from {before} import", "."]))')
    paths = sorted(line.removeprefix("./") for line in result.text.split())
    if result.error or not all(path.endswith(".py") for path in paths) or old in paths or not paths:
        raise Unsuitable
    joined = ", ".join(f'"{path}"' for path in paths)
    result = yield program(
        f'write_file("{new}", read_file("{old}"))\nrun_command(["rm", "{old}"])\nfor path in [{joined}]:\n'
        f'    text = read_file(path).replace("from {before} import", "from {after} import")\n'
        f"    write_file(path, text)\n"
        f"print({check})"
    )
    if refused(result):
        yield answer(f"That was refused, so {old} stays where it is.")
        return
    first = result.text.strip().splitlines()[0]
    yield answer(
        f"Moved {old} to {new} and changed the imports in {listed(paths)}. {'Tests' if tests else 'Types'}: {first}."
    )


@intent("chain", 2)
def chain_winner(project: Project, rng: Voice) -> Script:
    """The answer from a table goes into a file."""
    if not project.table:
        raise Unsuitable
    path, (header, *rows) = project.table_file, project.table
    column = rng.randrange(1, len(header))
    values = [int(row[column]) for row in rows]
    if len(set(values)) < len(values):
        raise Unsuitable
    most = rng.random() < 0.6
    new = _new(rng, "txt")
    yield ask(
        rng,
        """
        which {first} has the {most} {column} in {path}? write it to {new}
        find the {first} with the {most} {column} in {path} and save it to {new}
        write the {first} with the {most} {column} of {path} into {new}
        {new} should say which {first} has the {most} {column} in {path}
        look at {path}: whoever has the {most} {column} goes into {new}
        put the {first} that has the {most} {column} in {path} into the file {new}
        who has the {most} {column} in {path}? store the {first} in {new}
        {path}: {most} {column}, whose is it? answer in {new}
        from {path}, take the {first} with the {most} {column} and write it to {new}
        save to {new} the {first} whose {column} is {most} ({path})
        I need {new} with the {first} of the row in {path} that has the {most} {column}
        {most} {column} in {path} -> {new}, just the {first}
        determine who in {path} has the {most} {column} and note the {first} in {new}
        can you find out which {first} has the {most} {column} in {path} and put that in {new}
        create {new} holding the {first} with the {most} {column}, taken from {path}
        read {path}, find the {most} {column}, write that row's {first} to {new}
        """,
        path=path,
        new=new,
        first=header[0],
        column=header[column],
        most=rng.choice(["highest", "largest"] if most else ["lowest", "smallest"]),
    )
    result = yield program(
        f'rows = [line.split(",") for line in read_file("{path}").splitlines()]\n'
        f'column = rows[0].index("{header[column]}")\n'
        f"row = {'max' if most else 'min'}(rows[1:], key=lambda row: int(row[column]))\n"
        f'write_file("{new}", row[0] + "\\n")\nprint(row[0], row[column])'
    )
    if refused(result):
        yield answer(f"Writing {new} was refused, so nothing was saved.")
    else:
        name, value = result.text.split()
        yield answer(f"{name}, with {value}; I wrote it to {new}.")
