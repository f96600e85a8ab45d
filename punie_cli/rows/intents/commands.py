"""Questions that a command answers: listing, searching, running."""

import json
import re
from random import Random

from punie_cli.agent.messages import OUTPUT_LINE, answer, program, user
from punie_cli.rows.intents import Script, Unsuitable, ask, intent, listed
from punie_cli.rows.projects import Project


def _folders(project: Project) -> list[str]:
    return sorted({path.rsplit("/", 1)[0] for path in project.files if "/" in path})


@intent("command", 2.6)
def list_folder(project: Project, rng: Random) -> Script:
    folder = rng.choice([*_folders(project), project.package])
    shown = folder + rng.choice(["", "", "/"])
    yield user(
        ask(
            rng,
            """
            list (the files in|all files in|the contents of|what is in|) {path}
            (what|which) files are (in|inside|there in) {path}
            (show|show me|print|give me) (the files in|the folder|what is in the folder|the listing of) {path}
            ls {path}
            what (is|do we have) in (the folder|the directory) {path}
            (what|which) files does (the folder|) {path} (have|contain|hold)
            """,
            path=shown,
        )
    )
    result = yield program(f'print(run_command(["ls", "{folder}"]))')
    yield answer(f"{folder} has {listed(result.text.split())}.")


@intent("command", 1)
def list_root(project: Project, rng: Random) -> Script:
    yield user(
        ask(
            rng,
            """
            list (the files|all files) (here|in this folder|in the project root|in the root)
            (what|which) files (are here|do we have here|are in this directory|are in the root)
            ls
            (show|show me) (the top level|what is in this folder|the project folder)
            what is in this (project|directory|folder)
            """,
        )
    )
    result = yield program('print(run_command(["ls"]))')
    yield answer(f"The project has {listed(result.text.split())}.")


@intent("command", 2.6)
def find_definition(project: Project, rng: Random) -> Script:
    if not project.functions:
        raise Unsuitable
    name = rng.choice(sorted(project.functions))
    yield user(
        ask(
            rng,
            """
            where is (the function|) {name} (defined|implemented|declared)
            (which|what) file (defines|has|contains) (the function|) {name}
            (find|locate|show me) (the definition of|the function|where we define) {name}
            in which file is {name}
            where (can I find|do we define|is) {name}
            on which line is {name} defined
            """,
            name=name,
        )
    )
    result = yield program(f'print(run_command(["grep", "-rn", "def {name}(", "."]))')
    match = re.match(r"\./([^:]+):(\d+):", result.text)
    if not match:
        raise Unsuitable
    yield answer(f"{name} is defined in {match[1]} on line {match[2]}.")


@intent("command", 1.1)
def find_class(project: Project, rng: Random) -> Script:
    classes = [c for text in project.files.values() for c in re.findall(r"^class (\w+)", text, re.MULTILINE)]
    name = rng.choice(classes)
    yield user(
        ask(
            rng,
            """
            where is the class {name} (defined|declared|)
            (which|what) file (defines|has) (the class|) {name}
            (find|locate) the class {name}
            """,
            name=name,
        )
    )
    result = yield program(f'print(run_command(["grep", "-rn", "class {name}", "."]))')
    match = re.match(r"\./([^:]+):(\d+):", result.text)
    if not match or result.text.count("\n") > 1:
        raise Unsuitable
    yield answer(f"{name} is defined in {match[1]} on line {match[2]}.")


@intent("command", 1.5)
def find_by_suffix(project: Project, rng: Random) -> Script:
    suffix, word = rng.choice([("py", "Python"), ("json", "JSON"), ("md", "Markdown"), ("csv", "CSV"), ("txt", "text")])
    yield user(
        ask(
            rng,
            """
            (find|list|show|show me) (all|the|all the) {word} files
            (which|what) {word} files (are there|do we have|are in this project)
            where are the {word} files
            find (all|) files (ending in|that end with) .{suffix}
            find *.{suffix}
            """,
            word=word,
            suffix=suffix,
        )
    )
    result = yield program(f'print(run_command(["find", ".", "-name", "*.{suffix}"]))')
    found = [line.removeprefix("./") for line in result.text.split() if line.startswith("./")]
    if not found:
        yield answer(f"There are no {word} files in this project.")
    elif len(found) == 1:
        yield answer(f"There is one {word} file: {found[0]}.")
    else:
        yield answer(f"There are {len(found)} {word} files: {listed(found)}.")


@intent("command", 1.5)
def run_script(project: Project, rng: Random) -> Script:
    scripts = [p for p, text in project.files.items() if p.endswith(".py") and text.startswith("print(")]
    if not scripts:
        raise Unsuitable
    path = scripts[0]
    yield user(
        ask(
            rng,
            """
            (run|execute|start) (the script|) {path}
            what does {path} print
            run {path} (and show me the output|with python|and tell me what it prints)
            (can|could) you run {path}
            python {path}
            """,
            path=path,
        )
    )
    result = yield program(f'print(run_command(["python3", "{path}"]))')
    if result.error:
        yield answer(f"Running {path} was refused, so there is no output.")
    else:
        yield answer(f"{path} printed:\n\n{OUTPUT_LINE}")


@intent("command", 1.2)
def search_word(project: Project, rng: Random) -> Script:
    words = [w for text in project.files.values() for w in re.findall(r"\b[a-z]{5,}\b", text)]
    rare = sorted({w for w in words if words.count(w) <= 2})
    if not rare:
        raise Unsuitable
    word = rng.choice(rare)
    yield user(
        ask(
            rng,
            """
            (which|what) files (mention|contain|use) {word}
            (search|grep) for {word}
            (find|search) (the word|) {word} in (the project|all files|the code)
            where does {word} (appear|occur)
            """,
            word=word,
        )
    )
    result = yield program(f'print(run_command(["grep", "-rl", {json.dumps(word)}, "."]))')
    found = sorted(line.removeprefix("./") for line in result.text.split() if line.startswith("./"))
    if not found:
        raise Unsuitable
    yield answer(f"{word} is in {listed(found)}.")
