"""Values of JSON and TOML files, counts, and what a text mentions, asked for in many ways."""

import json
import re
import tomllib

from punie_cli.agent.messages import answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, ask, count, intent, listed
from punie_cli.rows.intents.paths import absent, suggested, toml_setting, worded
from punie_cli.rows.intents.reading import SEE
from punie_cli.rows.project import Project
from punie_cli.rows.projects import config_keys


def _said(text: str) -> str:
    """A printed value as the file has it: true, not True."""
    return text.strip().lower() if text.strip() in ("True", "False") else text.strip()


@intent("reading", 2.4)
def json_setting(project: Project, rng: Voice) -> Script:
    """One in eight keys is not there; then the keys that are get listed."""
    path, key = project.config_file, rng.choice(list(project.config))
    if rng.random() < 0.12:
        key = rng.choice([k for k in config_keys() if k not in project.config])
    yield ask(
        rng,
        """
        {key} in {path}?
        {path} {key}
        {path}: {key}?
        what's the {key}, see {path}
        look into {path}: what is {key}
        which {key} have we got in {path}
        {path} sets {key} to what
        how is {key} set in {path}
        to what is {key} set in {path}
        current {key} according to {path}
        what {key} does {path} give
        I need the {key} from {path}
        remind me which {key} is in {path}
        (open|check) {path} and tell me the {key}
        (only|just) the {key} of {path}, not the whole file
        the {key} in {path}, what was it again
        what did we put as {key} into {path}
        could you get me {key} out of {path}
        for the deployment: which {key} does {path} name
        somebody changed {path}. what is its {key} now
        is {key} set in {path}, and to what
        read {path}, I want to know the {key}
        waht is {key} in {path}
        config {path}, key {key}: value
        """,
        path=path,
        key=worded(rng, key),
    )
    result = yield program(f'print(read_file("{path}"))')
    data = json.loads(result.text)
    if key not in data:
        yield answer(f"{path} has no {key}. It has {listed(list(data))}.")
    else:
        yield answer(f"The {key} in {path} is {_said(str(data[key]))}.")


@intent("reading", 2.2)
def toml_entry(project: Project, rng: Voice) -> Script:
    path, section, key = toml_setting(project, rng)
    roll = rng.random()
    if roll < 0.1:
        key = f"{rng.choice(['max', 'min', 'daily', 'first', 'last', 'base'])}_{names.word(rng)}"
    elif roll < 0.16:
        section = names.word(rng)
    yield ask(
        rng,
        """
        {path} [{section}] {key}
        {section}.{key} in {path}
        {path}: {section}.{key}?
        {key} under [{section}] in {path}
        value of {key} in section {section} of {path}
        in {path}, section {section}: what is {key}
        what is {section}.{key} set to in {path}
        which value has {key} under {section} in {path}
        what does [{section}] in {path} say about {key}
        read {key} from the table {section} of {path}
        I need {key} of [{section}], file {path}
        open {path}, go to [{section}] and tell me {key}
        could you look up {key} below {section} in {path}
        the {section} part of {path}: its {key}
        {path} has [{section}]. what is {key} there
        (how|to what) is {key} set for {section} in {path}
        just the {key} from {section} in {path}
        before I change {section} in {path}: what is its {key} today
        can you check what {path} has as {key} in {section}
        get {section} {key}, toml file {path}
        """,
        path=path,
        section=section,
        key=key,
    )
    result = yield program(f'print(read_file("{path}"))')
    data = tomllib.loads(result.text)
    if isinstance(data.get(section), dict) and key in data[section]:
        yield answer(f"The {key} of {section} in {path} is {_said(str(data[section][key]))}.")
    elif not isinstance(data.get(section, {}), dict):
        raise Unsuitable
    elif section not in data:
        yield answer(f"There is no section {section} in {path}.")
    else:
        yield answer(f"There is no {key} under {section} in {path}.")


@intent("reading", 1.8)
def pyproject_entry(project: Project, rng: Voice) -> Script:
    there = ["version", "name", "requires-python"]
    key = rng.choice([*there, *there, rng.choice(["license", "description", "readme", "authors", "keywords"])])
    spoken = {"requires-python": ["python requirement", "requires-python", "minimum python"]}.get(key, [key])
    yield ask(
        rng,
        """
        pyproject.toml {words}
        {words} in pyproject.toml?
        pyproject: {words}?
        the {words} from pyproject.toml
        which {words} is in pyproject.toml
        what does pyproject.toml say for {words}
        what {words} stands in pyproject.toml (now|today|at the moment)
        pyproject.toml, section project, key {words}
        open pyproject.toml and tell me the {words}
        I need our {words} as pyproject.toml has it
        what's the {words} according to pyproject.toml
        before I tag a release: {words} in pyproject.toml
        could you check the {words} in pyproject.toml
        only the {words} out of pyproject.toml
        look up {words} in pyproject.toml for me
        our {words}, please, from pyproject.toml
        did anyone set the {words} in pyproject.toml, and to what
        {words} under [project] of pyproject.toml
        how does pyproject.toml put our {words}
        """,
        words=rng.choice(spoken),
    )
    result = yield program(
        f'import tomllib\ndata = tomllib.loads(read_file("pyproject.toml"))\nprint(data["project"]["{key}"])'
    )
    if result.error:
        yield answer(f"There is no {key} in pyproject.toml.")
    else:
        yield answer(f"The {key} in pyproject.toml is {result.text.strip()}.")


SIZE = Forms(
    "size",
    """
    lines in {path}?
    {path}, how long
    wc -l {path}
    {path} lines
    length of {path} in lines
    how big is {path}, in lines
    how many lines has {path} got
    tell me how long {path} is
    what is the line count of {path}
    is {path} long? count its lines
    I need the number of lines of {path}
    (roughly|exactly) how many lines are in {path}
    could you count the lines of {path} for me
    for the statistics: number of lines in {path}
    {path} keeps growing, how many lines is it now
    how many lines would I have to read in {path}
    count what {path} has in lines
    give me {path}'s line count
    hwo many lines are in {path}
    do you know how many lines {path} has
    """,
)


@intent("reading", 1.8)
def size_of_file(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p, text in project.files.items() if text])
    yield ask(rng, SIZE, path=path)
    result = yield program(f'print(len(read_file("{path}").splitlines()))')
    yield answer(f"{path} has {count(int(result.text), 'line')}.")


_THINGS = {"functions": "def ", "classes": "class "}
_ONE = {"classes": "class", "TODOs": "TODO"}


@intent("reading", 1.8)
def tally_of_module(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p in project.modules if project.files[p]])
    things = rng.choice(["functions", "functions", "classes", "methods", "TODOs", "imports"])
    if things == "TODOs" and rng.random() < 0.5:
        path = rng.choice([p for p in project.modules if "TODO" in project.files[p]] or [path])
    yield ask(
        rng,
        """
        {things} in {path}?
        {path}: number of {things}
        {things}, how many, {path}
        how many {things} do we have in {path}
        how many {things} did I leave in {path}
        what's the number of {things} in {path}
        (say|tell me) how many {things} {path} has
        does {path} have {things}, and how many
        are there any {things} in {path}? count them
        I want a count of the {things} in {path}
        go through {path} and count its {things}
        just a number: {things} in {path}
        could you count the {things} of {path}
        for my notes, how many {things} are in {path}
        {path} seems full of {things}, how many is it
        total of {things} in {path}
        do a count of {things} for {path}
        hwo many {things} has {path}
        """,
        path=path,
        things=things,
    )
    if things == "TODOs":
        kept = '"TODO" in line'
    elif things == "methods":
        kept = 'line.startswith(("    def ", "    async def "))'
    elif things == "imports":
        kept = 'line.startswith(("import ", "from "))'
    else:
        kept = f'line.startswith("{_THINGS[things]}")'
    result = yield program(f'lines = read_file("{path}").splitlines()\nprint(len([line for line in lines if {kept}]))')
    number = int(result.text)
    one = _ONE.get(things, things[:-1])
    yield answer(f"{path} has {number or 'no'} {one if number == 1 else things}.")


@intent("reading", 1)
def tally_of_keys(project: Project, rng: Voice) -> Script:
    path = project.config_file
    yield ask(
        rng,
        """
        keys in {path}, how many
        {path}: number of keys
        how many keys has {path}
        count the keys in {path}
        how many (settings|options|entries) does {path} have
        how many things can I set in {path}
        number of settings in {path}
        is {path} large? how many keys are in it
        (say|tell me) how many keys {path} has
        I need the number of keys of {path}
        could you count the settings in {path}
        {path} has how many keys
        open {path} and count its keys
        how many values are kept in {path}
        just a number: keys in {path}
        total of keys in {path}
        """,
        path=path,
    )
    result = yield program(f'data = json.loads(read_file("{path}"))\nprint(len(data))')
    yield answer(f"{path} has {count(int(result.text), 'key')}.")


@intent("reading", 1.6)
def says_it(project: Project, rng: Voice) -> Script:
    path = rng.choice([p for p, text in project.files.items() if text])
    inside = re.findall(r"[A-Za-z]{4,}", project.files[path])
    needle = rng.choice(inside) if inside and rng.random() < 0.55 else names.word(rng)
    yield ask(
        rng,
        """
        {path}, does it mention {needle}
        {path}: any {needle}
        is {needle} in {path}
        does {path} say anything about {needle}
        does {needle} come up in {path}
        do we (mention|name|use) {needle} in {path}
        can you find {needle} in {path}
        is the word {needle} somewhere in {path}
        yes or no: does {path} mention {needle}
        see if {needle} is in {path}
        tell me whether {path} has the word {needle}
        I think {path} talks about {needle}, is that right
        did anybody write {needle} into {path}
        search {path} for {needle}, is it there
        could you check {path} for the word {needle}
        I am looking for {needle}. is it in {path}
        is there any mention of {needle} in {path}
        {needle}: is that used in {path}
        would I find {needle} in {path}
        was {needle} removed from {path}, or is it still there
        """,
        path=path,
        needle=needle,
    )
    result = yield program(f'print({json.dumps(needle)} in read_file("{path}"))')
    yes = result.text.strip() == "True"
    yield answer(f"{'Yes' if yes else 'No'}, {path} {'contains' if yes else 'does not contain'} {needle}.")


@intent("reading", 1.2)
def longer_of_two(project: Project, rng: Voice) -> Script:
    a, b = rng.sample([p for p, text in project.files.items() if text], 2)
    yield ask(
        rng,
        """
        {a} or {b}, which is longer
        {a} vs {b}: lines
        {a} and {b}, which one has more lines
        which has more lines, {a} or {b}
        which of {a} and {b} is (longer|bigger|the longer one)
        is {a} bigger than {b}, in lines
        is {b} shorter than {a}
        does {a} have more lines than {b}
        compare {a} with {b} by their number of lines
        line counts of {a} and {b}
        how many lines has {a}, and how many {b}
        I wonder whether {a} is longer than {b}
        put the lengths of {a} and {b} side by side
        length of {a} compared with {b}
        count the lines of both {a} and {b}, which has more
        the longer one of {a} and {b}, please
        between {a} and {b}, where are more lines
        tell me which is the longer file: {a} or {b}
        """,
        a=a,
        b=b,
    )
    result = yield program(f'for path in ["{a}", "{b}"]:\n    print(path, len(read_file(path).splitlines()))')
    (a, m), (b, n) = (line.split() for line in result.text.splitlines())
    if m == n:
        yield answer(f"Both have {count(int(m), 'line')}.")
    else:
        more, less = ((a, m), (b, n)) if int(m) > int(n) else ((b, n), (a, m))
        yield answer(f"{more[0]} is longer: {more[1]} lines against {less[1]} in {less[0]}.")


@intent("reading", 1.6)
def nothing_to_read(project: Project, rng: Voice) -> Script:
    """The file is not there, whatever is wanted from it."""
    path = absent(project, rng).rstrip("/").removesuffix(".py") + rng.choice([".py", ".md", ".txt", ".json", ".csv"])
    if rng.random() < 0.5:
        yield ask(rng, SEE, path=path)
        result = yield program(f'print(read_file("{path}"))')
    else:
        yield ask(rng, SIZE, path=path)
        result = yield program(f'print(len(read_file("{path}").splitlines()))')
    if not result.error or suggested(result):
        raise Unsuitable
    yield answer(f"There is no {path} in this project.")
