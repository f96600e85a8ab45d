"""Files, parts of them and pieces of code, asked for in many ways."""

import re
from pathlib import PurePosixPath

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, ask, intent
from punie_cli.rows.intents.paths import contents, short
from punie_cli.rows.project import Project


def _written(project: Project, rng: Voice) -> str:
    """A module that is not empty."""
    return rng.choice([path for path in project.modules if project.files[path]])


def _code(path: str, name: str, inside: str = "") -> str:
    """A program that shows a function, method or class with all that is indented below it."""
    after = f'.split("class {inside}")[1]' if inside else ""
    return (
        f'import re\ntext = read_file("{path}"){after}\n'
        rf'found = re.search(r"^( *)(async def|def|class) {name}\b.*(\n(\1[ )].*)?)*", text, re.M)'
        '\nprint(found[0].rstrip() if found else "not found")'
    )


SEE = Forms(
    "see",
    """
    cat {path}
    {path}?
    {path}, show me
    (dump|type out|pull up|bring up) {path}
    shwo me {path}
    waht is in {path}
    I forgot what {path} says, (show it|print it|read it to me)
    (everything|the whole text|all lines) of {path}
    {path} in full
    paste {path} here so that I can (see|check|quote) it
    need to see {path} before I (touch|edit|change|delete) it
    view {path}
    take a look at {path} and show me what it says
    could you print out {path}, I don't have it open
    the file {path}, as it is
    before I edit {path}: let me see it
    I am in a terminal without an editor. show me {path}
    can I see {path}
    let's see {path}
    what's written in {path} right now
    give me the full content of {path}
    there is a file {path}. what does it say
    look inside {path} and print it
    """,
)


@intent("reading", 3)
def see_file(project: Project, rng: Voice) -> Script:
    path = short(project, rng, 40)
    yield ask(rng, SEE, path=path)
    yield program(f'print(read_file("{path}"))')
    yield answer(contents(path))


@intent("reading", 2)
def top_and_end(project: Project, rng: Voice) -> Script:
    number = rng.randint(2, 8)
    path = rng.choice([p for p, text in project.files.items() if text.count("\n") >= number])
    first = rng.random() < 0.5
    which = rng.choice(["first", "top", "first"] if first else ["last", "last", "bottom", "final"])
    yield ask(
        rng,
        """
        {which} {n} lines, {path}
        {path}: {which} {n} lines
        {path} {which} {n}
        just the {which} {n} lines of {path}
        I (only|just) need the {which} {n} lines of {path}
        (print|output|display|read out) the {which} {n} lines in {path}
        what do the {which} {n} lines of {path} say
        can you show me the {which} {n} lines of {path}
        let me see {path}, but only the {which} {n} lines
        {path} is too long for me: {which} {n} lines
        (quote|copy|paste) the {which} {n} lines from {path}
        the {which} {n} lines of {path} are enough
        which text is in the {which} {n} lines of {path}
        don't print all of {path}, the {which} {n} lines will do
        {command} {path}
        run {command} on {path}, more or less
        {which} {n} lienes of {path}
        have a peek at the {which} {n} lines of {path}
        open {path} and give me its {which} {n} lines
        for the review I want the {which} {n} lines of {path}
        """,
        path=path,
        which=which,
        n=number,
        command=f"{'head' if first else 'tail'} -n {number}",
    )
    cut = f"lines[:{number}]" if first else f"lines[-{number}:]"
    yield program(f'lines = read_file("{path}").splitlines()\nfor line in {cut}:\n    print(line)')
    yield answer(f"The {'first' if first else 'last'} {number} lines of {PurePosixPath(path).name}:\n\n{OUTPUT_LINE}")


@intent("reading", 1.2)
def line_of_file(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p, text in project.files.items() if text.count("\n") >= 2])
    lines = project.files[path].splitlines()
    filled = [number for number, line in enumerate(lines, 1) if line.strip()]
    number = rng.choice(filled)
    yield ask(
        rng,
        """
        line {n} of {path}
        {path} line {n}?
        {path}:{n}, what is there
        what (is|stands) on line {n} of {path}
        (print|show|give me) line {n} from {path}
        read {path} and quote line {n}
        which code or text is at line {n} in {path}
        the traceback says {path} line {n}, what is that line
        (only|just) line {n} of {path} please, nothing around it
        an error points to {path}, line {n}. show me that line
        I'd like to know what line {n} in {path} says
        could you look up line number {n} of {path}
        can you tell me the text of {path} at line {n}
        open {path} at line {n}
        what does {path} have on its line {n}
        waht is line {n} of {path}
        """,
        path=path,
        n=number,
    )
    result = yield program(f'print(read_file("{path}").splitlines()[{number - 1}])')
    yield answer(f"Line {number} of {path} is: {result.text.strip()}")


@intent("reading", 2)
def part_of_text(project: Project, rng: Voice) -> Script:
    """A section of the README or an entry of the changelog; one in six is not there."""
    path = rng.choice([p for p in ("README.md", "README.md", "CHANGELOG.md") if p in project.files])
    there = re.findall(r"^## (.+)$", project.files[path], re.MULTILINE)
    if not there:
        raise Unsuitable
    invented = (
        f"{rng.randint(4, 19)}.{rng.randint(0, 20)}.0"
        if path == "CHANGELOG.md"
        else rng.choice(["Licence", "Install", "Authors", "FAQ", "Roadmap"])
    )
    name = rng.choice(there) if rng.random() < 0.84 else invented
    yield ask(
        rng,
        """
        {path} {name}
        {name} in {path}?
        {path}: {name} only
        only the part about {name} from {path}
        what is written under {name} in {path}
        what does {path} (tell us|tell|say|have) about {name}
        (print|quote|pull out|extract) the {name} section from {path}
        I need the paragraph {name} of {path}
        read the {name} bit of {path} to me
        {path} has a heading {name}, what comes below it
        find {name} in {path} and show what stands there
        the section called {name} in {path}, please
        could you show what {path} has for {name}
        go to {name} in {path} and print it
        new here: what does {path} write under {name}
        from {path} I want {name}, not the rest
        just {name}, not all of {path}
        can you read out {name} from {path}
        the heading {name} of {path}: its text
        before I (ask|mail) anybody: what is under {name} in {path}
        """,
        path=path,
        name=name,
    )
    result = yield program(f'text = read_file("{path}")\nprint(text.split("## {name}")[1].split("## ")[0].strip())')
    if result.error:
        yield answer(f"There is no {name} in {path}.")
    else:
        yield answer(f"{path} says under {name}:\n\n{OUTPUT_LINE}")


@intent("reading", 2)
def body_of_function(project: Project, rng: Voice) -> Script:
    found = [(path, name) for name, path in project.functions.items() if f"def {name}(" in project.files[path]]
    if not found:
        raise Unsuitable
    path, name = rng.choice(found)
    if rng.random() < 0.12:
        name = f"{names.verb(rng)}_{names.word(rng)}"
    yield ask(
        rng,
        """
        {name} in {path}
        {path}: {name}, the code
        code of {name}, {path}
        show the code of {name} from {path}
        how is {name} in {path} (written|implemented|done)
        what does the code of {name} in {path} look like
        the whole function {name} of {path}
        print {name} from {path}, body and all
        I want to (review|see|copy) {name}, it is in {path}
        only {name} out of {path}, not the whole file
        (pull|cut) the function {name} out of {path} for me
        how does {name} work? it lives in {path}
        source of the {name} function in {path}
        let me see the body of {name} in {path}
        can you show me def {name} in {path}
        in {path} there should be a function {name}: print it
        look up {name} in {path} and quote the code
        shwo function {name} of {path}
        {name} is defined in {path}. show me its lines
        before I rewrite {name} in {path}, show me what is there
        """,
        path=path,
        name=name,
    )
    result = yield program(_code(path, name))
    if result.text.strip() == "not found":
        yield answer(f"There is no {name} in {path}.")
    else:
        yield answer(f"{name} in {path}:\n\n{OUTPUT_LINE}")


@intent("reading", 2)
def body_of_method(project: Project, rng: Voice) -> Script:
    """A method with its whole body, from the class that is named."""
    found = [
        (path, group[1], name)
        for path in project.modules
        if (group := re.search(r"^class (\w+):$", project.files[path], re.MULTILINE))
        for name in re.findall(r"^    (?:async )?def (\w+)\(self", project.files[path], re.MULTILINE)
    ]
    if not found:
        raise Unsuitable
    path, group, name = rng.choice(found)
    if rng.random() < 0.12:
        name = f"{names.verb(rng)}_{names.word(rng)}"
    yield ask(
        rng,
        """
        {path} {group}.{name}
        {group}.{name} in {path}, the code
        show {group}.{name} from {path}
        the method {name} of {group} in {path}
        method {name}, class {group}, file {path}
        what does {name} of class {group} in {path} do, show the code
        print the {name} method of {group}, {path}
        how is {name} of {group} implemented in {path}
        in {path}, class {group}: let me see {name}
        I need only the method {name} of {group} from {path}
        body of {group}.{name} in {path} please
        the class {group} in {path} has a method {name}. show me all of it
        could you quote {name} from the class {group} in {path}
        read me {name} of {group}, it is in {path}
        whole {name} method from {path}, class {group}
        open {path}, find {group} and print its {name} method
        can you show how {group} in {path} does {name}
        I am about to change {name} in {group}, {path}, show me the code first
        not the whole class, just {name} of {group} in {path}
        source of {name} in {group}, see {path}
        """,
        path=path,
        group=group,
        name=name,
    )
    result = yield program(_code(path, name, group))
    if result.text.strip() == "not found":
        yield answer(f"There is no {name} in {group} of {path}.")
    else:
        yield answer(f"{group}.{name} in {path}:\n\n{OUTPUT_LINE}")


@intent("reading", 1.6)
def body_of_class(project: Project, rng: Voice) -> Script:
    found = [
        (path, name)
        for path in project.modules
        for name in re.findall(r"^class (\w+)", project.files[path], re.MULTILINE)
    ]
    if not found:
        raise Unsuitable
    path, name = rng.choice(found)
    if rng.random() < 0.12:
        name = f"{names.word(rng).capitalize()}{names.word(rng).capitalize()}"
    yield ask(
        rng,
        """
        class {name} in {path}
        {path}: class {name}
        {path}, the {name} class
        show (the class|class) {name} from {path}
        what does class {name} in {path} look like
        (print|quote|give me) the class {name} of {path} with all of its code
        I want to see {name}, the class in {path}
        how is the class {name} in {path} (made|built|written)
        whole class {name}, {path} please
        the definition of class {name} in {path}
        only the class {name} out of {path}
        let me read class {name}; the file is {path}
        could you show me the code of class {name} in {path}
        which fields and methods make up {name} in {path}, show the class
        source of class {name}, {path}
        find the class {name} in {path} and print it completely
        calss {name} of {path}
        I have to extend class {name} in {path}: show it
        """,
        path=path,
        name=name,
    )
    result = yield program(_code(path, name))
    if result.text.strip() == "not found":
        yield answer(f"There is no class {name} in {path}.")
    else:
        yield answer(f"The class {name} in {path}:\n\n{OUTPUT_LINE}")


@intent("reading", 1.4)
def imports_of(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p in project.modules + project.tests if project.files[p]])
    yield ask(
        rng,
        """
        imports of {path}
        {path} imports?
        imports in {path} please
        what does {path} import
        which modules does {path} (import|need|use|depend on)
        (list|show|print) the import lines of {path}
        show me everything that {path} imports
        what is imported at the top of {path}
        all import statements in {path}
        I'd like the imports of {path}, nothing else
        (dependencies|import block) of {path}
        does {path} import anything? show the lines
        who does {path} depend on, by its imports
        for a cycle that I hunt: what {path} imports
        read the imports from {path}
        could you pull the imports out of {path}
        from which modules does {path} take its names
        imprts of {path}
        """,
        path=path,
    )
    result = yield program(
        f'for line in read_file("{path}").splitlines():\n    if line.startswith(("import ", "from ")):\n'
        "        print(line)"
    )
    lines = result.text.splitlines()
    if not lines:
        yield answer(f"{path} imports nothing.")
    elif len(lines) == 1:
        yield answer(f"{path} has one import: `{lines[0]}`")
    else:
        yield answer(f"{path} has {len(lines)} imports:\n\n{OUTPUT_LINE}")


@intent("reading", 1.6)
def purpose_of_module(project: Project, rng: Voice) -> Script:
    path = _written(project, rng)
    yield ask(
        rng,
        """
        what is {path} for
        {path}: what is it for
        (purpose|docstring|summary) of {path}
        what is the (purpose|job|point) of {path}
        in one line, what does {path} do
        what does the docstring of {path} say
        why do we have {path}
        (what's|what is) the module docstring of {path}
        I'm new to this, what does the module {path} do
        is there a docstring in {path}, and what does it say
        tell me (briefly|shortly|in short) what {path} is about
        what is {path} good for, according to its docstring
        describe {path} in a sentence, from its docstring
        how does {path} describe itself
        what kind of module is {path}
        read me the docstring at the top of {path}
        (does|would) the docstring of {path} tell what it is for
        I stumbled over {path}. what is it meant for
        """,
        path=path,
    )
    result = yield program(f"""print(read_file("{path}").split('\"\"\"')[1])""")
    if result.error:
        yield answer(f"{path} has no docstring.")
    else:
        yield answer(f"The docstring of {path} says: {result.text.strip()}")
