"""Files that are made, copied and renamed, asked as developers type; contents are exactly what was asked."""

import json

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed, quoted
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.project import Project


def line(rng: Voice) -> str:
    """One line as people have them written down: a note, a setting, an address, a heading, a number."""
    a, b, c = (names.word(rng) for _ in range(3))
    return rng.choice(
        [
            names.phrase(rng),
            names.phrase(rng),
            names.phrase(rng).capitalize(),
            f"{a.capitalize()} {b} {c}",
            f"{a} {rng.randint(2, 999)}",
            f"{a.capitalize()}: {rng.randint(2, 99)}",
            f"{a}: {b} {c}",
            f"ask {a.capitalize()} about the {b}",
            f"{a}_{b} = {rng.randint(2, 999)}",
            f"{a.upper()}_{b.upper()}={c}",
            f"https://{a}.example/{b}",
            f"{a}@{b}.example",
            f"v{rng.randint(0, 4)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}",
            f"{a} due 2027-0{rng.randint(1, 9)}-{rng.randint(10, 28)}",
            f"{a}, {b} and {c}",
            f"# {a.capitalize()} {b}",
            f"{names.verb(rng)} the {a} {b} before {rng.choice(['Monday', 'noon', 'the release', 'friday'])}",
            f"it's the {a} of {b.capitalize()}",
            f"{a}-{b}!",
            f"{names.verb(rng).capitalize()} {a} & {b}",
            f"{a}/{b}/*.{rng.choice(['tmp', 'log', 'bak'])}",
            f"{rng.randint(1, 9)}{rng.randint(0, 9)} {a} {b}s",
            f"{a.capitalize()} is {b}. Then {c}.",
        ]
    )


def new_file(project: Project, rng: Voice) -> str:
    """A path that is not there yet, of many kinds."""
    stem = rng.choice(
        [names.stem(rng), names.word(rng), f"{names.word(rng)}_{names.word(rng)}", names.word(rng).upper()]
    )
    path = stem + rng.choice([".txt", ".txt", ".txt", ".md", ".md", ".cfg", ".log", ".ini", ".rst", ""])
    if "." not in path:
        path = rng.choice([path.upper(), f".{path}"])
    if rng.random() < 0.35:
        path = f"{rng.choice(['docs', 'data', 'notes', names.word(rng), names.folder(rng)])}/{path}"
    if path in project.files:
        raise Unsuitable
    return path


def made(result: Message, path: str, done: str) -> Message:
    """The answer to a write of a new file: done, or refused."""
    if refused(result):
        return answer(f"Writing {path} was refused, so nothing was written.")
    if result.error or not result.text.startswith("created"):
        raise Unsuitable
    return answer(done)


@intent("doing", 2.4)
def new_note(project: Project, rng: Voice) -> Script:
    path, text = new_file(project, rng), line(rng)
    if '"' in text:
        raise Unsuitable
    yield ask(
        rng,
        """
        {path}: "{text}"
        make {path} and put "{text}" in it
        new file {path}: {text}
        (create|write|save) {path}, content: {text}
        write "{text}" into the new file {path}
        put the line "{text}" into a new file {path}
        I need a file {path} with one line: {text}
        (add|make) a file {path} that (says|reads) "{text}"
        "{text}" (should go|goes) into {path}
        {path} should (say|contain|read|hold): {text}
        echo "{text}" > {path}
        save this as {path}: {text}
        (write down|note) in {path}: {text}
        create {path} with exactly this text: {text}
        could you store "{text}" in {path}
        a new {path} please, the only line is "{text}"
        start a file {path} with the words "{text}"
        write a file. name: {path}, text: {text}
        (jot down|keep) "{text}" in {path}
        {path} is missing, create it with the line: {text}
        make me a {path}. It must say "{text}"
        the file {path} does not exist yet; its text shall be: {text}
        can you make {path} with "{text}" in it
        with the content "{text}", create {path}
        craete {path} with the line "{text}"
        pls write {path}: {text}
        mkae a file {path} with this in it: {text}
        """,
        path=path,
        text=text,
    )
    result = yield program(f'print(write_file("{path}", {quoted(text + chr(10))}))')
    yield made(result, path, f"Created {path}.")


@intent("doing", 2)
def new_lines(project: Project, rng: Voice) -> Script:
    """Several lines, given with a separator."""
    path, items = new_file(project, rng), [line(rng) for _ in range(rng.randint(2, 4))]
    mark = rng.choice(["; ", "; ", " / ", " / ", ", "])
    if any(mark.strip() in item or "'" in item for item in items):
        raise Unsuitable
    separate = {";": "semicolons", "/": "slashes", ",": "commas"}[mark.strip()]
    yield ask(
        rng,
        """
        create {path} with these lines: {text}
        (make|write) {path}, {n} lines: {text}
        {path}, one per line: {text}
        new file {path} with {n} lines: {text}
        put these {n} lines in {path}: {text}
        write each of these on a line of its own in {path}: {text}
        {path} should have the lines {text}
        (save|store) as {path}, a line each: {text}
        I need {path} with a line for each of these: {text}
        make a list in {path}, one item per line: {text}
        create {path}. Lines, separated by {separate} here: {text}
        the lines of {path} are (to be|) {text}
        write a file {path} that has {n} lines, namely {text}
        fill a new {path} line by line with {text}
        I want you to list in {path}, each on its own line: {text}
        create {path} - {n} lines - {text}
        add a file {path} with the following lines: {text}
        {n} lines for a new {path}: {text}
        craete {path}, lines: {text}
        """,
        path=path,
        text=mark.join(items),
        n=len(items),
        separate=separate,
    )
    text = "".join(f"{item}\n" for item in items)
    result = yield program(f'print(write_file("{path}", {quoted(text)}))')
    yield made(result, path, f"Created {path} with {count(len(items), 'line')}.")


@intent("doing", 1.2)
def new_list(project: Project, rng: Voice) -> Script:
    """Several lines, given as a list in the question: bullets, quotes, first and second, real line ends."""
    path, items = new_file(project, rng), [line(rng) for _ in range(rng.randint(2, 3))]
    if any('"' in item or "'" in item or "," in item or item.startswith("#") for item in items):
        raise Unsuitable
    shown = rng.choice(
        [
            listed([f'"{item}"' for item in items]),
            ", ".join(f"'{item}'" for item in items),
            "\n" + "\n".join(items),
            "\n" + "\n".join(items),
            f'first "{items[0]}"' + "".join(f', then "{item}"' for item in items[1:]),
            f'"{items[0]}" on the first line' + "".join(f', "{item}" on the next' for item in items[1:]),
        ]
    )
    yield ask(
        rng,
        """
        create {path} with {text}
        write {path} with {number} lines: {text}
        I want {number} lines in {path}: {text}
        (make|start) a file {path}: {text}
        new file {path}, {number} lines, {text}
        {path} gets {number} lines: {text}
        put this into {path}: {text}
        save these as {path}, {number} lines: {text}
        write a new {path}. It has {text}
        {path} should have {text}
        (create|add) {path} that contains {number} lines, {text}
        the new {path} says {text}
        let us have a file {path} with the lines {text}
        I want you to write {number} lines to {path}: {text}
        make {path} with these {number} lines and nothing else: {text}
        """,
        path=path,
        text=shown,
        number=("two", "three")[len(items) - 2] if rng.random() < 0.7 else len(items),
    )
    text = "".join(f"{item}\n" for item in items)
    result = yield program(f'print(write_file("{path}", {quoted(text)}))')
    yield made(result, path, f"Created {path} with {count(len(items), 'line')}.")


@intent("doing", 0.9)
def new_empty(project: Project, rng: Voice) -> Script:
    path = rng.choice(
        [
            f"{project.package}/py.typed",
            f"{names.folder(rng)}/__init__.py",
            f"{names.word(rng)}/.gitkeep",
            new_file(project, rng),
        ]
    )
    if path in project.files:
        raise Unsuitable
    yield ask(
        rng,
        """
        touch {path}
        empty file {path}(| please)
        create {path}, empty
        make {path} with no content
        (create|add|make) a blank (file|) {path}
        {path} is missing, add it empty
        add an empty {path}
        I need an empty {path}
        create {path} without any text
        {path} should exist, nothing in it
        a zero byte file at {path}
        can you create an empty {path}
        put an empty {path} there
        the file {path} has to exist, content is not needed
        new file {path}, leave it empty
        make sure there is a {path}; it can be empty, it is not there yet
        {path}: create it, empty
        """,
        path=path,
    )
    result = yield program(f'print(write_file("{path}", ""))')
    yield made(result, path, f"Created {path}; it is empty.")


@intent("doing", 1.6)
def new_json(project: Project, rng: Voice) -> Script:
    path = f"{rng.choice(['', '', 'data/', 'conf/', f'{names.word(rng)}/'])}{names.stem(rng)}.json"
    if path in project.files:
        raise Unsuitable
    keys = dict.fromkeys(rng.choice([names.word(rng), f"{names.word(rng)}_{names.word(rng)}"]) for _ in range(3))
    values: dict[str, object] = {
        key: rng.choice([names.number(rng), names.number(rng), names.word(rng), names.word(rng), rng.random() < 0.5])
        for key in list(keys)[: rng.randint(1, 3)]
    }
    plain = {key: str(value).lower() if isinstance(value, bool) else value for key, value in values.items()}
    told = rng.choice(
        [
            listed([f"{key} {value}" for key, value in plain.items()]),
            ", ".join(f"{key} = {value}" for key, value in plain.items()),
            ", ".join(f"{key}: {value}" for key, value in plain.items()),
            listed([f"{key} set to {value}" for key, value in plain.items()]),
            json.dumps(values),
        ]
    )
    yield ask(
        rng,
        """
        create {path} with {text}
        (json file|new json) {path}: {text}
        (write|make) {path}: {text}
        {path} as json, {text}
        make a json file {path} with {text}
        I want a {path} holding {text}
        put {text} in {path}
        write this as json to {path}: {text}
        new file {path}, json, {text}
        (save|store) as json in {path}: {text}
        {path} should be json with {text}
        add {path} with these values: {text}
        a json config {path}, please: {text}
        can you write {path} with {text} in it
        keep {text} in a new json file called {path}
        create the settings file {path}, {text}
        we need {path}. keys and values: {text}
        """,
        path=path,
        text=told,
    )
    result = yield program(f'print(write_file("{path}", json.dumps({_literal(values)}, indent=2) + "\\n"))')
    yield made(result, path, f"Created {path} with {listed(list(values))}.")


def _literal(values: dict[str, object]) -> str:
    """A dict as Python has it, in double quotes."""
    parts = [f"{json.dumps(k)}: {v if isinstance(v, bool) else json.dumps(v)}" for k, v in values.items()]
    return "{" + ", ".join(parts) + "}"


@intent("doing", 1.2, alone=True)
def new_copy(project: Project, rng: Voice) -> Script:
    path = rng.choice(sorted(p for p, text in project.files.items() if text))
    ending = path[path.rindex(".") :]
    new = rng.choice(
        [
            f"{path}.bak",
            f"{path.removesuffix(ending)}_old{ending}",
            f"{names.stem(rng)}{ending}",
            f"{names.word(rng)}/{path.rpartition('/')[2]}",
        ]
    )
    if new in project.files:
        raise Unsuitable
    yield ask(
        rng,
        """
        cp {path} {new}
        copy {path} to {new}
        copy {path} as {new}
        backup of {path} to {new}
        back {path} up as {new}
        make {new} a copy of {path}
        (make|keep) a copy of {path} in {new}
        (duplicate|clone) {path} to {new}
        {new} shall have the same content as {path}
        before I edit {path}, (copy it to|save a copy as) {new}
        I need {path} a second time, as {new}
        put a copy of {path} at {new}
        save {path} under the name {new} too, keep the original
        I want you to copy the file {path} over to {new}
        could you copy {path} into {new}
        write what is in {path} to {new} as well
        {path} -> {new}, copy not move
        """,
        path=path,
        new=new,
    )
    result = yield program(f'print(write_file("{new}", read_file("{path}")))')
    yield made(result, new, f"Copied {path} to {new}.")


@intent("doing", 1.2, alone=True)
def new_name(project: Project, rng: Voice) -> Script:
    paths = sorted(p for p in project.files if not p.endswith("__init__.py"))
    path = rng.choice(paths)
    before, slash, _ = path.rpartition("/")
    new = f"{before}{slash}{names.stem(rng).replace('-', '_')}{path[path.rindex('.') :]}"
    if new in project.files:
        raise Unsuitable
    yield ask(
        rng,
        """
        mv {path} {new}
        rename {path} to {new}
        rename the file {path} into {new}
        {path} shall be {new} from now on, rename it
        call the file {path} {new} instead
        the new name of {path} is {new}
        change the file name {path} to {new}
        move {path} to {new}
        I want you to rename {path}: {new}
        I do not like the name {path}, make it {new}
        {path} -> {new}, rename
        can you rename {path} as {new}
        let {path} be named {new}
        give the file {path} another name: {new}
        {path} has a bad name; rename it {new}
        {new} is a better name for the file {path}, move it there
        renmae {path} to {new}
        """,
        path=path,
        new=new,
    )
    result = yield program(f'print(run_command(["mv", "{path}", "{new}"]).exit_code)')
    if refused(result):
        yield answer(f"The command was refused, so {path} has still its name.")
    elif result.text.strip() == "0":
        yield answer(f"Renamed {path} to {new}.")
    else:
        raise Unsuitable
