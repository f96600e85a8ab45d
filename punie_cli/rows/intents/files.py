"""Questions that reading a file answers."""

import json
import re
from pathlib import PurePosixPath
from random import Random

from punie_cli.agent.messages import OUTPUT_LINE, answer, program, user
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, ask, intent, listed
from punie_cli.rows.intents.checks import base_name, meant, suggested
from punie_cli.rows.projects import Project

_READ = """
read {path}
(read|open|show|print|display|cat) (the file|) {path}
(show|show me|let me see|give me|print|tell me) (the content of|the contents of|the text of|what is in|what's in) {path}
what is (in|inside|written in) {path}
what does {path} (say|contain|look like)
(I want|I would like|I need) to (see|read) {path}
(can|could) you (read|open|show|print) {path} (for me|)
open {path} and show it
let me (see|read|have a look at) {path}
what's in (the file|) {path}
output (the file|) {path}
"""


def _short(project: Project, rng: Random, most: int = 12) -> str:
    """A file of at most `most` lines that is not empty."""
    fitting = [p for p, text in project.files.items() if 0 < text.count("\n") <= most]
    other = [p for p in fitting if not p.endswith(".py")]
    return rng.choice(other if other and rng.random() < 0.75 else fitting)


def _contents(path: str) -> str:
    return f"{path}:\n\n{OUTPUT_LINE}"


@intent("read", 3.4)
def read_path(project: Project, rng: Random) -> Script:
    path = _short(project, rng)
    yield user(ask(rng, _READ, path=path))
    yield program(f'print(read_file("{path}"))')
    yield answer(_contents(path))


@intent("find", 1.4)
def read_base_name(project: Project, rng: Random) -> Script:
    path, base = base_name(project, rng)
    if project.files[path].count("\n") > 14:
        raise Unsuitable
    yield user(ask(rng, _READ, path=base))
    result = yield program(f'print(read_file("{base}"))')
    if meant(result) != path:
        raise Unsuitable
    yield program(f'print(read_file("{path}"))')
    yield answer(_contents(path))


@intent("find", 0.8)
def read_missing(project: Project, rng: Random) -> Script:
    missing = rng.choice(
        [
            f"{names.word(rng)}.txt",
            f"{names.folder(rng)}/{names.module(rng)}.py",
            f"docs/{names.word(rng)}.md",
        ]
    )
    yield user(ask(rng, _READ, path=missing))
    result = yield program(f'print(read_file("{missing}"))')
    if not result.error or suggested(result):
        raise Unsuitable
    yield answer(f"There is no {missing} in this project.")


@intent("read", 1.4)
def count_lines(project: Project, rng: Random) -> Script:
    path = rng.choice([p for p, text in project.files.items() if text])
    yield user(
        ask(
            rng,
            """
            how many lines (does {path} have|are in {path}|has {path}|of text are in {path})
            (count|count the) lines (of|in) {path}
            how long is {path}
            (number of|tell me the number of) lines (in|of) {path}
            line count of {path}
            """,
            path=path,
        )
    )
    result = yield program(f'print(len(read_file("{path}").splitlines()))')
    number = int(result.text)
    yield answer(f"{path} has {number} line{'' if number == 1 else 's'}.")


@intent("read", 2)
def config_value(project: Project, rng: Random) -> Script:
    path, key = project.config_file, rng.choice(list(project.config))
    words = key.replace("_", " ") if rng.random() < 0.5 else key
    yield user(
        ask(
            rng,
            """
            what is the {key} in {path}
            (which|what) {key} (is set|is configured|do we use|stands) in {path}
            (get|read|show|print|look up|tell me) the {key} (from|in|of) {path}
            what value does {key} have in {path}
            {key} in {path}
            (find|give me) the value of {key} in {path}
            what does {path} say about the {key}
            """,
            path=path,
            key=words,
        )
    )
    result = yield program(f'data = json.loads(read_file("{path}"))\nprint(data["{key}"])')
    yield answer(f"The {words} in {path} is {result.text.strip()}.")


@intent("read", 0.9)
def config_keys(project: Project, rng: Random) -> Script:
    path = project.config_file
    yield user(
        ask(
            rng,
            """
            (which|what) (keys|settings|options) (are|does) {path} (have|define|hold)
            (list|show|print) the (keys|settings) (of|in) {path}
            what can be set in {path}
            """,
            path=path,
        )
    )
    result = yield program(f'data = json.loads(read_file("{path}"))\nfor key in data:\n    print(key)')
    yield answer(f"{path} has {listed(result.text.split())}.")


@intent("read", 1.1)
def project_field(project: Project, rng: Random) -> Script:
    key = rng.choice(["version", "name", "requires-python"])
    words = {"requires-python": "required Python version"}.get(key, key)
    yield user(
        ask(
            rng,
            """
            what is the {words} (of the project|) in pyproject.toml
            (which|what) {words} does pyproject.toml (have|give|state|name)
            (read|get|show|look up) the {words} (from|in) pyproject.toml
            what {words} (does this project have|is this project)
            """,
            words=words,
        )
    )
    result = yield program(
        f'for line in read_file("pyproject.toml").splitlines():\n    if line.startswith("{key} "):\n        print(line)'
    )
    value = result.text.split("=", 1)[1].strip().strip('"')
    yield answer(f"The {words} in pyproject.toml is {value}.")


@intent("read", 1.5)
def definitions(project: Project, rng: Random) -> Script:
    word, kind = rng.choice([("def", "functions"), ("class", "classes")])
    holders = [p for p in project.modules if re.search(rf"^{word} ", project.files[p], re.MULTILINE)]
    if not holders:
        raise Unsuitable
    path = rng.choice(holders)
    yield user(
        ask(
            rng,
            """
            (which|what) {kind} (are|are defined) in {path}
            (which|what) {kind} does {path} (define|have|contain)
            (list|show|show me|name|print) (the|all|) {kind} (in|of|defined in) {path}
            """,
            path=path,
            kind=kind,
        )
    )
    result = yield program(
        f'for line in read_file("{path}").splitlines():\n    if line.startswith("{word} "):\n        print(line)'
    )
    found = re.findall(rf"^{word} (\w+)", result.text, re.MULTILINE)
    yield answer(f"{path} defines {listed(found)}.")


@intent("read", 1.1)
def mentions(project: Project, rng: Random) -> Script:
    path = rng.choice([p for p, text in project.files.items() if text])
    inside = re.findall(r"[A-Za-z]{4,}", project.files[path])
    needle = rng.choice(inside) if rng.random() < 0.6 else names.word(rng)
    yield user(
        ask(
            rng,
            """
            does {path} (mention|contain|use|have) {needle}
            is {needle} (mentioned|used|anywhere) in {path}
            does the word {needle} (occur|appear) in {path}
            check (if|whether) {path} (contains|mentions) {needle}
            """,
            path=path,
            needle=needle,
        )
    )
    result = yield program(f'print({json.dumps(needle)} in read_file("{path}"))')
    yes = result.text.strip() == "True"
    yield answer(f"{'Yes' if yes else 'No'}, {path} {'contains' if yes else 'does not contain'} {needle}.")


@intent("read", 1.1)
def first_lines(project: Project, rng: Random) -> Script:
    number = rng.randint(1, 4)
    path = rng.choice([p for p, text in project.files.items() if text.count("\n") >= number])
    words = "line" if number == 1 else f"{number} lines"
    yield user(
        ask(
            rng,
            """
            (show|show me|print|give me|read) the first {words} of {path}
            what {verb} the first {words} of {path}
            first {words} of {path}
            (head|top) of {path}, {words}
            """,
            path=path,
            words=words,
            verb="is" if number == 1 else "are",
        )
    )
    code = f'lines = read_file("{path}").splitlines()\nfor line in lines[:{number}]:\n    print(line)'
    yield program(code)
    yield answer(f"The first {words} of {PurePosixPath(path).name}:\n\n{OUTPUT_LINE}")
